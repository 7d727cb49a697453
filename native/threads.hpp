#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cellar {

struct Operation;

// The addon's own threads, for the calls librbd and librados have no asynchronous form of. libuv's threads are not
// used: they also serve DNS and files, and a call to a cluster that hangs keeps its thread until the deadline.
class Threads {
 public:
  struct Counters {
    std::size_t queued;
    std::size_t running;
  };

  static constexpr std::size_t kLimit = 16;

  explicit Threads(std::size_t limit = kLimit) : limit_(limit) {}

  // Any thread. Runs the operation's `execute`; threads start on demand, at most `limit`.
  void submit(Operation* operation);

  // Any thread. Runs before any queued operation and is never dropped: how handles are released, and
  // how it is seen that the threads are alive.
  void post(std::function<void()> chore);

  // JS thread, at teardown. The operations that have not started; the caller owns them.
  std::deque<Operation*> drop_queued();

  // Any thread but one of these. Runs what is left, then ends every thread.
  void join();

  Counters counters();

  // Any thread. More is to be done than there are threads: who has been on one for long lets others go first.
  bool crowded();

 private:
  void start_one_if_needed();
  void loop();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> chores_;
  std::deque<Operation*> operations_;
  std::vector<std::thread> threads_;
  std::size_t running_ = 0;
  bool stopping_ = false;
};

}  // namespace cellar
