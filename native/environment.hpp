#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>

#include "handle.hpp"
#include "threads.hpp"

namespace cellar {

struct Operation;

// Everything the addon knows in one Node environment (the main thread's or a worker's). There are no process globals.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // JS thread, once per environment.
  static void Install(Napi::Env env);
  // JS thread.
  static Environment& Of(Napi::Env env);

  // JS thread. A promise is under way: Node stays alive until `settled`.
  void started();

  // Any thread. Hands the operation to the JS thread, which settles and deletes it.
  void deliver(Operation* operation);
  // The same, for callers that hold `mutex`.
  void deliver_locked(Operation* operation);

  // Guards every Handle of this environment, `roots`, and the way to the JS thread.
  std::mutex mutex;
  std::set<std::shared_ptr<Handle>> roots;  // clusters that are not released
  std::condition_variable root_released;
  std::atomic<bool> tearing_down = false;

  Threads threads;
  // What computes, and does not wait for the cluster: while it takes all of these, the renewal of a lease has its thread.
  // Whoever has looked at `kTurn` bytes there, while others wait, goes to the end of the queue.
  Threads hashers{8};
  static constexpr std::size_t kTurn = 4 * 1024 * 1024;
  // Ask the cluster where an image has data, which takes thousands of questions of an image without an object map: there may
  // be many such images, and the renewal of a lease must have a thread.
  Threads surveyors{4};
  // Hands the bytes of all writers to librbd, which copies them: glibc gives every thread that asks an arena of its own and
  // takes little back, so that what is freed there is used again only if it is always the same thread that asks.
  Threads sender{1};
  std::atomic<std::size_t> in_flight{0};  // data-plane operations that librbd has, or the sender

  // JS thread.
  Napi::FunctionReference error_class;
  Napi::FunctionReference cluster_class;
  Napi::FunctionReference pool_class;
  Napi::FunctionReference image_class;
  Napi::FunctionReference writer_class;
  Napi::FunctionReference watch_class;
  Napi::FunctionReference hasher_class;
  Napi::FunctionReference read_back_class;

 private:
  friend class Teardown;

  static void Settle(napi_env env, napi_value unused, void* context, void* operation);

  napi_env env_ = nullptr;
  napi_threadsafe_function to_js_ = nullptr;
  std::size_t promises_ = 0;  // JS thread
};

}  // namespace cellar
