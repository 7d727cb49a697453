#include "timer.hpp"

namespace cellar {

Napi::Value SetTimeout(Napi::Env env, std::function<void()> expired, double ms) {
  Napi::Value set_timeout = env.Global().Get("setTimeout");
  if (!set_timeout.IsFunction()) return env.Undefined();
  auto callback = Napi::Function::New(env, [expired = std::move(expired)](const Napi::CallbackInfo&) { expired(); });
  Napi::Value timer = set_timeout.As<Napi::Function>().Call({callback, Napi::Number::New(env, ms)});
  if (!timer.IsObject()) return env.Undefined();
  Napi::Value unref = timer.As<Napi::Object>().Get("unref");
  if (unref.IsFunction()) unref.As<Napi::Function>().Call(timer, {});
  return timer;
}

void ClearTimeout(Napi::Env env, Napi::Value timer) {
  Napi::Value clear_timeout = env.Global().Get("clearTimeout");
  if (clear_timeout.IsFunction() && timer.IsObject()) clear_timeout.As<Napi::Function>().Call({timer});
}

}  // namespace cellar
