#pragma once

#include <napi.h>

namespace cellar {

// JS thread. ping(): a promise that one of the addon's threads settles, before anything that is queued.
Napi::Value Ping(const Napi::CallbackInfo& info);

}  // namespace cellar
