#include "ping.hpp"

#include "args.hpp"
#include "environment.hpp"
#include "work.hpp"

namespace cellar {

// Implements: no C call. The way there and back that every call takes: a thread of ours, and the queue to the JS thread.
Napi::Value Ping(const Napi::CallbackInfo& info) {
  Args args(info);
  Napi::Value rejection;
  auto prepared = Prepare(args, {"ping", {}, {}}, &rejection);
  if (!prepared) return rejection;
  Environment& environment = *prepared->environment;
  Napi::Value promise = prepared->deferred.Promise();
  environment.started();
  // Not as an operation: those wait for their turn behind calls to a cluster that may be down.
  environment.threads.post([operation = prepared.release()] { Operation::finish(operation); });
  return promise;
}

}  // namespace cellar
