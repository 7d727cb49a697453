#pragma once

#include <napi.h>

#include "hasher_handle.hpp"
#include "work.hpp"

namespace cellar {

// NativeHasher of src/rbd/native.ts.
class Hasher : public Napi::ObjectWrap<Hasher> {
 public:
  static Napi::Function Class(Napi::Env env);
  // hasher() of the binding.
  static Napi::Value Make(const Napi::CallbackInfo& info);

  explicit Hasher(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  Napi::Value Update(const Napi::CallbackInfo& info);
  Napi::Value Finish(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  std::shared_ptr<HasherHandle> handle_;
};

}  // namespace cellar
