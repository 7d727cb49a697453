#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <vector>

#include "handle.hpp"
#include "status.hpp"

namespace cellar {

class Environment;

// One promise. Made on the JS thread, given to a thread or to librbd, delivered back to the JS thread, settled there.
struct Operation {
  // JS thread.
  Operation(Napi::Env env, Subject about);
  ~Operation() = default;

  // Any thread, when the C call is over. Gives the operation to the JS thread and only then lets go of the handles, so
  // that the promise settles before that of a close() which waits for it.
  static void finish(Operation* operation);

  // JS thread. Resolves with `answer`, or rejects with `status`.
  void settle(Napi::Env env);

  // Any thread, when there is no JS thread to come back to: nothing of Node-API may be called any more.
  static void forget(Operation* operation);

  std::shared_ptr<Environment> environment;
  Napi::Promise::Deferred deferred;
  Subject subject;
  Status status;
  std::vector<Use> uses;
  Napi::ObjectReference buffer;                    // the caller's, kept from collection while librbd uses it
  std::function<Status()> execute;                 // one of the addon's threads: no Node-API
  std::function<Napi::Value(Napi::Env)> answer;    // JS thread
  std::function<void(Napi::Env)> over;             // JS thread, before the promise settles
};

}  // namespace cellar
