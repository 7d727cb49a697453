#pragma once

#include <napi.h>

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "library.hpp"
#include "pool.hpp"
#include "work.hpp"

namespace cellar {

// One notify, as the watcher got it.
struct Notice {
  std::string payload;
  std::uint64_t notifier;
};

// A watch on an object, with the notices that nobody has asked for yet.
class WatchHandle : public Handle {
 public:
  WatchHandle(std::shared_ptr<Environment> environment, std::shared_ptr<PoolHandle> parent, std::string name)
      : Handle(std::move(environment), parent), pool(parent), object(std::move(name)) {}

  using Answer = std::shared_ptr<std::optional<Notice>>;

  const std::shared_ptr<PoolHandle> pool;
  const std::string object;

  Subject subject() const { return pool->subject().with_object(object); }

  // One of the addon's threads.
  int start(std::uint32_t timeout_seconds);

  // JS thread. Settles the operation with the oldest notice, when there is one; what ends the watch ends it with an error.
  void wait(std::uint64_t ticket, Operation* operation, Answer answer);
  // JS thread. Settles it without one, unless it has been settled.
  void give_up(std::uint64_t ticket);
  // JS thread. Operations have no name of their own: the next one may come to be where the last one was.
  std::uint64_t new_ticket() { return ++tickets_; }

 private:
  // Notices that nobody asks for: the oldest are dropped.
  static constexpr std::size_t kMostKept = 256;
  // Bytes of one: whoever may write to the pool may notify, and the rest is not worth its memory.
  static constexpr std::size_t kMostBytes = 4096;

  struct Waiting {
    std::uint64_t ticket;
    Operation* operation;
    Answer answer;
  };

  void release(Done done) override;

  // Any thread: librados' own, for the notifies of the whole connection.
  static void Notified(void* watch, std::uint64_t notify, std::uint64_t cookie, std::uint64_t notifier, void* data,
                       std::size_t length);
  static void Broken(void* watch, std::uint64_t cookie, int code);

  void notified(Notice notice);
  void broken(int code);

  std::uint64_t tickets_ = 0;
  bool started_ = false;
  std::uint64_t cookie_ = 0;

  std::mutex mutex_;  // may be held when the environment's is taken, never the other way round
  std::list<Waiting> waiting_;
  std::deque<Notice> notices_;
  int failure_ = 0;
};

// NativeWatch of src/rbd/native.ts.
class Watch : public Napi::ObjectWrap<Watch> {
 public:
  static Napi::Function Class(Napi::Env env);

  explicit Watch(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  Napi::Value Next(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  std::shared_ptr<WatchHandle> handle_;
};

}  // namespace cellar
