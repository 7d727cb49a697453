#include "completion.hpp"

#include "environment.hpp"

namespace cellar {
namespace {

struct Completion {
  Operation* operation;
  const char* call;
  std::shared_ptr<ssize_t> bytes;
};

// librbd's callback strand: one at a time for the whole connection, so it must not block. Takes the result, gives the
// operation to the JS thread, lets go of the image. No Node-API but the thread-safe function's call.
void Complete(rbd_completion_t completion, void* data) {
  std::unique_ptr<Completion> self(static_cast<Completion*>(data));
  const ssize_t value = rbd_aio_get_return_value(completion);
  rbd_aio_release(completion);
  *self->bytes = value;
  self->operation->status = {self->call, value < 0 ? static_cast<int>(value) : 0};
  --self->operation->environment->in_flight;
  Operation::finish(self->operation);
}

}  // namespace

// Implements:
//   int rbd_aio_create_completion(void *cb_arg, rbd_callback_t complete_cb, rbd_completion_t *c);
//   ssize_t rbd_aio_get_return_value(rbd_completion_t c);
//   void rbd_aio_release(rbd_completion_t c);
Napi::Value Submit(Args& args, const Call& call, Napi::Value buffer, const std::function<int(rbd_completion_t)>& start,
                   std::function<Napi::Value(Napi::Env, ssize_t)> answer) {
  Napi::Value rejection;
  auto prepared = Prepare(args, call, &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  Environment& environment = *operation->environment;
  auto bytes = std::make_shared<ssize_t>(0);
  if (buffer.IsObject()) operation->buffer = Napi::Persistent(buffer.As<Napi::Object>());
  if (answer) operation->answer = [answer = std::move(answer), bytes](Napi::Env env) { return answer(env, *bytes); };
  environment.started();
  ++environment.in_flight;

  auto* self = new Completion{operation, call.name, std::move(bytes)};
  rbd_completion_t completion = nullptr;
  int code = rbd_aio_create_completion(self, Complete, &completion);
  if (code == 0) {
    code = start(completion);
    if (code == 0) return promise;
    rbd_aio_release(completion);
  }

  // It did not start, so the callback will not come.
  delete self;
  --environment.in_flight;
  operation->status = {call.name, code};
  Operation::finish(operation);
  return promise;
}

Napi::Value SubmitNothing(Args& args, const Call& call, std::function<Napi::Value(Napi::Env, ssize_t)> answer) {
  Napi::Value rejection;
  auto prepared = Prepare(args, call, &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  if (answer) operation->answer = [answer = std::move(answer)](Napi::Env env) { return answer(env, 0); };
  operation->environment->started();
  Operation::finish(operation);
  return promise;
}

}  // namespace cellar
