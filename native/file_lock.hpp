#pragma once

#include <napi.h>

namespace cellar {

// JS thread. tryLockFile(fd): an exclusive lock on the whole file, without waiting. False when somebody else has it.
Napi::Value TryLockFile(const Napi::CallbackInfo& info);

// JS thread. tryLeaseFile(fd): a write lease. False when anybody else has the file open.
Napi::Value TryLeaseFile(const Napi::CallbackInfo& info);

}  // namespace cellar
