#pragma once

#include <functional>

#include "library.hpp"
#include "work.hpp"

namespace cellar {

// Data plane, JS thread: `start` hands the completion to one of rbd_aio_*. `buffer`, if any, is kept from collection until
// the promise settles. The promise's value is `answer(env, bytes)`, or undefined.
Napi::Value Submit(Args& args, const Call& call, Napi::Value buffer, const std::function<int(rbd_completion_t)>& start,
                   std::function<Napi::Value(Napi::Env, ssize_t)> answer = nullptr);

// JS thread. Answers what Submit would for no bytes, without asking librbd, whose read of none ends in a failed assertion
// (Ceph 16.2.15, Striper.cc: `buffer && length == total_intended_len`).
Napi::Value SubmitNothing(Args& args, const Call& call, std::function<Napi::Value(Napi::Env, ssize_t)> answer = nullptr);

}  // namespace cellar
