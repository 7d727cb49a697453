#include "operation.hpp"

#include "environment.hpp"
#include "error.hpp"

namespace cellar {

Operation::Operation(Napi::Env env, Subject about)
    : environment(Environment::Of(env).shared_from_this()),
      deferred(Napi::Promise::Deferred::New(env)),
      subject(std::move(about)) {}

void Operation::finish(Operation* operation) {
  // Both outlive the operation, which the JS thread may delete as soon as it has it.
  std::shared_ptr<Environment> environment = operation->environment;
  std::vector<Use> uses = std::move(operation->uses);
  environment->deliver(operation);
}

void Operation::settle(Napi::Env env) {
  if (over) over(env);
  if (status.failed()) {
    deferred.Reject(MakeError(env, status, subject));
  } else {
    deferred.Resolve(answer ? answer(env) : env.Undefined());
  }
}

void Operation::forget(Operation* operation) {
  operation->buffer.SuppressDestruct();
  delete operation;
}

}  // namespace cellar
