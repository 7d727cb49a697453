#include "watch.hpp"

#include "timer.hpp"
#include "wrap.hpp"

namespace cellar {

template <>
Napi::FunctionReference& ClassOf<Watch>(Napi::Env env) {
  return Environment::Of(env).watch_class;
}

Napi::Function Watch::Class(Napi::Env env) {
  return DefineClass(env, "NativeWatch",
                     {
                         InstanceMethod<&Watch::Next>("next"),
                         InstanceMethod<&Watch::Close>("close"),
                     });
}

Watch::Watch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Watch>(info), handle_(Unwrapped<WatchHandle>(info)) {}

Napi::Value Pool::Watch(const Napi::CallbackInfo& info) {
  Args args(info);
  auto watch = std::make_shared<WatchHandle>(Environment::Of(info.Env()).shared_from_this(), handle_,
                                             args.text(args.at(0), "object"));
  const auto timeout_ms = args.optional_number(args.options(1, "options").Get("timeoutMs"), "timeoutMs").value_or(0);
  return OpenHandle<cellar::Watch>(
      args, {"rados_watch3", watch->subject(), {watch}}, watch,
      [watch, seconds = static_cast<std::uint32_t>((timeout_ms + 999) / 1000)]() -> Status {
        return {"rados_watch3", watch->start(seconds)};
      });
}

// It holds no use of the watch: close() does not wait for a notice that may never come, it ends this with EBADF. But it
// keeps the JavaScript object.
Napi::Value Watch::Next(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::uint64_t timeout_ms = args.number(args.at(0), "timeoutMs");
  if (timeout_ms > INT32_MAX) args.refuse(-EINVAL, "timeoutMs is above 2^31-1");
  if (handle_->closing()) args.refuse(-EBADF, "");
  Napi::Value rejection;
  auto prepared = Prepare(args, {"rados_watch3", handle_->subject(), {}}, &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  auto answer = std::make_shared<std::optional<Notice>>();
  const std::uint64_t ticket = handle_->new_ticket();
  const auto expired = [watch = handle_, ticket] { watch->give_up(ticket); };
  auto kept = Napi::Array::New(args.env());
  kept.Set(0u, info.This());
  kept.Set(1u, SetTimeout(args.env(), expired, static_cast<double>(timeout_ms)));
  operation->buffer = Napi::Persistent(kept.As<Napi::Object>());
  operation->over = [operation](Napi::Env env) { ClearTimeout(env, operation->buffer.Value().Get(1u)); };
  operation->answer = [answer](Napi::Env env) -> Napi::Value {
    if (!*answer) return env.Undefined();
    auto object = Napi::Object::New(env);
    object.Set("payload", Napi::Buffer<char>::Copy(env, (*answer)->payload.data(), (*answer)->payload.size()));
    object.Set("notifier", "client." + std::to_string((*answer)->notifier));
    return object;
  };
  operation->environment->started();
  handle_->wait(ticket, operation, std::move(answer));
  return promise;
}

Napi::Value Watch::Close(const Napi::CallbackInfo& info) {
  return cellar::Close(info.Env(), handle_->subject(), *handle_);
}

}  // namespace cellar
