#pragma once

#include <napi.h>

#include <functional>

namespace cellar {

// JS thread. Node's own timer. It does not keep the process alive: the promise does. In a worker that is being terminated
// no JavaScript runs any more, and nobody waits for the timer either.
Napi::Value SetTimeout(Napi::Env env, std::function<void()> expired, double ms);

// JS thread. Of a timer that has expired too.
void ClearTimeout(Napi::Env env, Napi::Value timer);

}  // namespace cellar
