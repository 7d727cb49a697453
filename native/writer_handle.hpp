#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "block.hpp"
#include "digests.hpp"
#include "image.hpp"

namespace cellar {

struct WriterLimits {
  std::size_t object_size = 0;
  std::size_t in_flight = 0;
  std::size_t granule = 0;
};

// What finish() answers.
struct Written {
  std::uint64_t received = 0;
  std::uint64_t bytes = 0;  // without the holes
  std::map<std::string, std::string> digests;
};

// Takes the bytes of an image in order: hashes them, gathers them into whole objects, writes what is not zero.
//
// A strand: `run` is on one of the hashers or on none, never on two. It does not wait for the cluster on that
// thread: where it would have to, it returns, and the next completion has it run again. While others wait for a hasher, it
// is posted anew after each object's worth of bytes. What it has gathered is looked through for zeros and handed to librbd
// on another thread, so that the hash, which takes the longest, goes on. Blocks: `in_flight` on their way, and the one
// being gathered. librbd has a copy of what it has not sent yet.
class WriterHandle : public Handle {
 public:
  WriterHandle(std::shared_ptr<Environment> environment, std::shared_ptr<ImageHandle> parent, WriterLimits limits,
               Digests digests)
      : Handle(std::move(environment), parent), image(parent), limits_(limits), digests_(std::move(digests)) {}

  const std::shared_ptr<ImageHandle> image;

  // JS thread. The operation is the writer's until it has taken the bytes, which are borrowed until then.
  void append(Operation* operation, Bytes chunk);
  // JS thread. Its operation is settled when all bytes are safe, and `written` is filled in.
  void finish(Operation* operation, std::shared_ptr<Written> written);

  // JS thread.
  std::uint64_t promised = 0;  // bytes of all chunks that were accepted
  bool finished = false;

 private:
  struct Step {
    Operation* operation;
    Bytes rest;
    std::shared_ptr<Written> written;  // of finish() only
  };
  using Lock = std::unique_lock<std::mutex>;

  void release(Done done) override;

  void add(Step step);
  // The caller holds the mutex.
  void resume();
  Use unused();
  bool is_full() const { return gathered_ && gathered_->filled == limits_.object_size; }
  bool may_send() const { return in_flight_ < limits_.in_flight || failure_.failed(); }

  // The strand, one of the hashers. They let go of the mutex while they hash and copy.
  void run();
  bool advance(Lock& lock);  // false when it has to wait for a completion
  void take(Step& step, Lock& lock);
  bool end(Step& step, Lock& lock);
  void settle(Status status, Lock& lock);
  std::unique_ptr<Block> free_block();
  void send();
  void flush(Lock& lock);

  // The sender.
  void write(Block* block, std::uint64_t offset);

  // `start` hands the completion to a rbd_aio_*.
  template <typename Start>
  void submit(const char* call, Block* block, Start start);

  // Any thread: librbd's callback strand. `block` is null for the flush.
  struct Sent;
  static void Complete(rbd_completion_t completion, void* sent);
  void completed(Status status, Block* block);

  const WriterLimits limits_;

  std::mutex mutex_;  // may be held when the environment's is taken, never the other way round
  std::deque<Step> steps_;
  Use use_;               // while anything is under way
  bool running_ = false;  // `run` is on a thread, or posted
  bool waiting_ = false;  // `run` is to be posted by the next completion
  std::size_t in_flight_ = 0;
  std::vector<std::unique_ptr<Block>> free_;
  Status failure_;
  std::uint64_t written_ = 0;

  // The strand's.
  Digests digests_;
  std::unique_ptr<Block> gathered_;
  std::uint64_t offset_ = 0;  // of `gathered_`
  std::uint64_t received_ = 0;
  std::size_t turn_ = 0;  // bytes since `run` began
  bool flushed_ = false;
};

}  // namespace cellar
