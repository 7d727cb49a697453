#pragma once

#include <napi.h>

#include "status.hpp"

namespace cellar {

// JS thread. An instance of the RbdError class that src/rbd/rbd-error.ts handed over.
Napi::Value MakeError(Napi::Env env, const Status& status, const Subject& subject);

}  // namespace cellar
