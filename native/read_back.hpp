#pragma once

#include <napi.h>

#include "read_back_job.hpp"
#include "work.hpp"

namespace cellar {

// NativeReadBack of src/rbd/native.ts.
class ReadBack : public Napi::ObjectWrap<ReadBack> {
 public:
  static Napi::Function Class(Napi::Env env);

  explicit ReadBack(const Napi::CallbackInfo& info);

 private:
  Napi::Value Position(const Napi::CallbackInfo& info);
  Napi::Value Cancel(const Napi::CallbackInfo& info);

  std::shared_ptr<ReadBackJob> job_;
};

}  // namespace cellar
