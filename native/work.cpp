#include "work.hpp"

#include <algorithm>

#include "environment.hpp"

namespace cellar {

std::unique_ptr<Operation> Prepare(Args& args, const Call& call, Napi::Value* rejection) {
  if (args.refused()) {
    *rejection = args.rejection(call.name, call.subject);
    return nullptr;
  }
  auto operation = std::make_unique<Operation>(args.env(), call.subject);
  for (const auto& handle : call.handles) {
    Use use = Use::of(handle);
    if (!use) {
      *rejection = Rejected(args.env(), {call.name, -EBADF}, call.subject);
      return nullptr;
    }
    operation->uses.push_back(std::move(use));
  }
  return operation;
}

Napi::Value Queue(std::unique_ptr<Operation> operation) {
  Environment& environment = *operation->environment;
  Napi::Value promise = operation->deferred.Promise();
  environment.started();
  environment.threads.submit(operation.release());
  return promise;
}

Napi::Value Close(Napi::Env env, const Subject& subject, Handle& handle) {
  auto* operation = new Operation(env, subject);
  Napi::Value promise = operation->deferred.Promise();
  operation->environment->started();
  handle.close();
  handle.when_released(operation);
  return promise;
}

std::vector<std::string> Strings(const std::vector<char>& buffer) {
  std::vector<std::string> strings;
  auto start = buffer.begin();
  while (start != buffer.end() && *start != '\0') {
    const auto end = std::find(start, buffer.end(), '\0');
    strings.emplace_back(start, end);
    if (end == buffer.end()) break;
    start = end + 1;
  }
  return strings;
}

}  // namespace cellar
