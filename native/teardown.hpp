#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>
#include <thread>

namespace cellar {

class Environment;

// The end of a Node environment: natural exit, process.exit() in a worker, worker.terminate(). Node waits for it, and it
// always comes: librados gives every call to the cluster a deadline, and what has only a timer of Node's is given up.
class Teardown {
 public:
  // JS thread.
  static void Install(napi_env env, std::shared_ptr<Environment> environment);

  // JS thread. From here on nothing reaches JavaScript: queued work is dropped, what runs is waited for by the handles
  // and its answers are forgotten. May be called twice.
  static void CloseAll(Environment& environment);

 private:
  static void Begin(napi_async_cleanup_hook_handle hook, void* self);  // JS thread
  void wait();                                                        // a thread of its own
  static void End(uv_async_t* ended);                                 // JS thread

  std::shared_ptr<Environment> environment_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  uv_loop_t* loop_ = nullptr;
  uv_async_t ended_{};
  std::thread waiter_;
};

}  // namespace cellar
