#include "environment.hpp"

#include "operation.hpp"
#include "teardown.hpp"

namespace cellar {

void Environment::Install(Napi::Env env) {
  auto environment = std::make_shared<Environment>();
  environment->env_ = env;

  // One way back for all completions and all work. The queue is unlimited because the bound is kept in JavaScript: a
  // full queue would block librbd's only callback strand.
  napi_value name = Napi::String::New(env, "cellar");
  napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, Settle,
                                  &environment->to_js_);
  napi_unref_threadsafe_function(env, environment->to_js_);

  // After the function: hooks run newest first, and nothing may be delivered once the function's own hook has run.
  Teardown::Install(env, environment);
  env.SetInstanceData(new std::shared_ptr<Environment>(environment));
}

Environment& Environment::Of(Napi::Env env) { return **env.GetInstanceData<std::shared_ptr<Environment>>(); }

void Environment::started() {
  if (promises_++ == 0) napi_ref_threadsafe_function(env_, to_js_);
}

void Environment::deliver(Operation* operation) {
  std::lock_guard lock(mutex);
  deliver_locked(operation);
}

void Environment::deliver_locked(Operation* operation) {
  if (tearing_down || napi_call_threadsafe_function(to_js_, operation, napi_tsfn_nonblocking) != napi_ok) {
    Operation::forget(operation);
  }
}

// JS thread; `env` is null when the environment went away with the operation still queued.
void Environment::Settle(napi_env env, napi_value, void*, void* data) {
  auto* operation = static_cast<Operation*>(data);
  if (env == nullptr) {
    Operation::forget(operation);
    return;
  }
  Napi::HandleScope scope(env);
  std::shared_ptr<Environment> environment = operation->environment;
  operation->settle(env);
  delete operation;
  if (--environment->promises_ == 0) napi_unref_threadsafe_function(env, environment->to_js_);
}

}  // namespace cellar
