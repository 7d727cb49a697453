#pragma once

#include <napi.h>

#include <cerrno>
#include <memory>

#include "environment.hpp"
#include "work.hpp"

namespace cellar {

// JS thread. The constructor of the class that wraps a handle, of this environment.
template <typename Wrapped>
Napi::FunctionReference& ClassOf(Napi::Env env);

// JS thread. The JavaScript object for an open handle. From here on its collection abandons the handle.
template <typename Wrapped, typename HandleType>
Napi::Value Wrap(Napi::Env env, const std::shared_ptr<HandleType>& handle) {
  auto given = handle;
  return ClassOf<Wrapped>(env).New({Napi::External<std::shared_ptr<HandleType>>::New(env, &given)});
}

// JS thread. What Wrap gave to the constructor. Null, and a TypeError thrown, when JavaScript called it.
template <typename HandleType>
std::shared_ptr<HandleType> Unwrapped(const Napi::CallbackInfo& info) {
  if (info[0].IsExternal()) return *info[0].As<Napi::External<std::shared_ptr<HandleType>>>().Data();
  Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
  return nullptr;
}

// Opens `handle`, which is in `call.handles`: takes its place in the tree, runs `open()` (a Status) on one of the addon's
// threads, and answers its JavaScript object. A handle that did not open, or that was closed meanwhile, is released.
template <typename Wrapped, typename HandleType, typename Open>
Napi::Value OpenHandle(Args& args, const Call& call, const std::shared_ptr<HandleType>& handle, Open open) {
  if (args.refused()) return args.rejection(call.name, call.subject);
  if (!handle->attach()) return Rejected(args.env(), {call.name, -EBADF}, call.subject);
  struct Nothing {};
  return Ask<Nothing>(
      args, call,
      [handle, open = std::move(open), name = call.name](Nothing&) -> Status {
        Status status = open();
        if (!status.failed() && handle->closing()) status = {name, -EBADF, "closed while it was opened"};
        if (status.failed()) handle->abandon();
        return status;
      },
      [handle](Napi::Env env, Nothing&) { return Wrap<Wrapped>(env, handle); });
}

}  // namespace cellar
