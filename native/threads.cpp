#include "threads.hpp"

#include "operation.hpp"

namespace cellar {

void Threads::submit(Operation* operation) {
  std::lock_guard lock(mutex_);
  operations_.push_back(operation);
  start_one_if_needed();
}

void Threads::post(std::function<void()> chore) {
  std::lock_guard lock(mutex_);
  chores_.push_back(std::move(chore));
  start_one_if_needed();
}

std::deque<Operation*> Threads::drop_queued() {
  std::lock_guard lock(mutex_);
  return std::exchange(operations_, {});
}

void Threads::join() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

Threads::Counters Threads::counters() {
  std::lock_guard lock(mutex_);
  return {operations_.size() + chores_.size(), running_};
}

bool Threads::crowded() {
  std::lock_guard lock(mutex_);
  return running_ + operations_.size() + chores_.size() > limit_;
}

// Caller holds the mutex.
void Threads::start_one_if_needed() {
  const std::size_t wanted = running_ + operations_.size() + chores_.size();
  if (threads_.size() < wanted && threads_.size() < limit_) threads_.emplace_back([this] { loop(); });
  wake_.notify_one();
}

// Each of the threads.
void Threads::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !chores_.empty() || !operations_.empty(); });
    if (chores_.empty() && operations_.empty()) return;

    ++running_;
    if (!chores_.empty()) {
      auto chore = std::move(chores_.front());
      chores_.pop_front();
      lock.unlock();
      chore();
    } else {
      Operation* operation = operations_.front();
      operations_.pop_front();
      lock.unlock();
      operation->status = operation->execute();
      Operation::finish(operation);
    }
    lock.lock();
    --running_;
  }
}

}  // namespace cellar
