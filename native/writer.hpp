#pragma once

#include <napi.h>

#include "work.hpp"
#include "writer_handle.hpp"

namespace cellar {

// NativeWriter of src/rbd/native.ts.
class Writer : public Napi::ObjectWrap<Writer> {
 public:
  static Napi::Function Class(Napi::Env env);

  explicit Writer(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  Napi::Value Append(const Napi::CallbackInfo& info);
  Napi::Value Finish(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  Call call() const { return {"rbd_aio_write", handle_->image->subject(), {handle_}}; }

  std::shared_ptr<WriterHandle> handle_;
};

}  // namespace cellar
