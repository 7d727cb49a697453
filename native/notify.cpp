#include <climits>

#include "environment.hpp"
#include "pool.hpp"

namespace cellar {
namespace {

struct Outcome {
  std::size_t acks = 0;
  std::size_t timeouts = 0;
};

// A notify on its way. The payload is copied: what is told is short.
struct Notifying {
  Operation* operation;
  std::shared_ptr<Outcome> outcome;
  std::string payload;
  char* reply = nullptr;
  std::size_t length = 0;
};

Status Decode(const Notifying& notifying) {
  notify_ack_t* acks = nullptr;
  notify_timeout_t* timeouts = nullptr;
  Outcome& outcome = *notifying.outcome;
  const int code = rados_decode_notify_response(notifying.reply, notifying.length, &acks, &outcome.acks, &timeouts,
                                                &outcome.timeouts);
  if (code == 0) rados_free_notify_response(acks, outcome.acks, timeouts);
  return {"rados_decode_notify_response", code};
}

// librados' callback thread. ETIMEDOUT with an answer says that some did not acknowledge; without one, that the OSD is silent.
void Complete(rados_completion_t completion, void* data) {
  std::unique_ptr<Notifying> self(static_cast<Notifying*>(data));
  const int code = rados_aio_get_return_value(completion);
  Operation* operation = self->operation;
  if (self->length > 0 && (code >= 0 || code == -ETIMEDOUT)) {
    operation->status = Decode(*self);
  } else {
    operation->status = {"rados_aio_notify", code == -ENOENT ? 0 : std::min(code, 0)};
  }
  if (self->reply != nullptr) rados_buffer_free(self->reply);
  --operation->environment->in_flight;
  Operation::finish(operation);
}

}  // namespace

// An object that is not there is watched by nobody.
//
// Implements:
//   int rados_aio_notify(rados_ioctx_t io, const char *o, rados_completion_t completion, const char *buf, int buf_len,
//                        uint64_t timeout_ms, char **reply_buffer, size_t *reply_buffer_len);
//   int rados_decode_notify_response(char *reply_buffer, size_t reply_buffer_len, struct notify_ack_t **acks,
//                                    size_t *nr_acks, struct notify_timeout_t **timeouts, size_t *nr_timeouts);
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
  auto outcome = std::make_shared<Outcome>();
  operation->answer = [outcome](Napi::Env env) -> Napi::Value {
    auto answer = Napi::Object::New(env);
    answer.Set("acks", static_cast<double>(outcome->acks));
    answer.Set("timeouts", static_cast<double>(outcome->timeouts));
    return answer;
  };
  operation->environment->started();
  ++operation->environment->in_flight;
  auto* self = new Notifying{operation, std::move(outcome), std::string(payload.data, payload.length)};
  rados_completion_t completion = nullptr;
  rados_aio_create_completion2(self, Complete, &completion);
  const int code = rados_aio_notify(handle_->io, object.c_str(), completion, self->payload.data(),
                                    static_cast<int>(self->payload.size()), timeout_ms, &self->reply, &self->length);
  if (code < 0) {
    delete self;
    --operation->environment->in_flight;
    operation->status = {"rados_aio_notify", code};
    Operation::finish(operation);
  }
  rados_aio_release(completion);
  return promise;
}

}  // namespace cellar
