#include <climits>

#include "environment.hpp"
#include "notifying.hpp"
#include "timer.hpp"

namespace cellar {

// An object that is not there is watched by nobody. What is told is short, and copied.
Napi::Value Pool::Notify(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const Bytes payload = args.bytes(args.at(1), "payload");
  const std::uint64_t timeout_ms = args.number(args.at(2), "timeoutMs");
  if (payload.length > INT_MAX) args.refuse(-EINVAL, "more than 2^31-1 bytes at once");
  if (timeout_ms == 0 || timeout_ms > UINT32_MAX) args.refuse(-EINVAL, "timeoutMs must be from 1 to 2^32-1");
  Napi::Value rejection;
  auto prepared = Prepare(args, call("rados_aio_notify", handle_->subject().with_object(object)), &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  auto heard = std::make_shared<Heard>();
  operation->answer = [heard](Napi::Env env) -> Napi::Value {
    auto answer = Napi::Object::New(env);
    answer.Set("acks", static_cast<double>(heard->acks));
    answer.Set("timeouts", static_cast<double>(heard->timeouts));
    return answer;
  };
  auto notifying = std::make_shared<Notifying>(handle_, std::string(payload.data, payload.length), operation, heard);

  const std::uint64_t seconds = (timeout_ms + 999) / 1000;
  const std::uint64_t deadline = std::min<std::uint64_t>(handle_->cluster->osd_op_timeout_ms + seconds * 1000, INT32_MAX);
  const auto expired = [weak = std::weak_ptr(notifying)] {
    if (auto notifying = weak.lock()) notifying->settle(-ETIMEDOUT);
  };
  auto kept = Napi::Array::New(args.env());
  kept.Set(0u, SetTimeout(args.env(), expired, static_cast<double>(deadline)));
  operation->buffer = Napi::Persistent(kept.As<Napi::Object>());
  operation->over = [operation](Napi::Env env) { ClearTimeout(env, operation->buffer.Value().Get(0u)); };
  operation->environment->started();
  ++operation->environment->in_flight;
  notifying->start(notifying, object, seconds);
  return promise;
}

}  // namespace cellar
