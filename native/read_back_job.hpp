#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "block.hpp"
#include "digests.hpp"
#include "image.hpp"

namespace cellar {

struct ReadBackLimits {
  std::size_t piece_size = 0;
  std::size_t in_flight = 0;
  std::size_t granule = 0;
  bool in_pieces = false;
};

// What an image holds.
struct ReadBackResult {
  std::string digest;
  std::uint64_t size = 0;
  std::uint64_t stored = 0;  // without the holes
};

// Reads all of an image and hashes it: as one stream, on one thread; or piece by piece, on several, and then the digests of
// the pieces. What the image does not hold is not read: it is zeros, and in pieces all zeros have one digest.
//
// Lanes: `run` is on so many of the hashers at most. It does not wait for the cluster there: where it would have to,
// it returns, and the next completion has it run again. While others wait for a hasher, it is posted anew after each piece.
// Blocks: `in_flight`, being read, to be hashed, or free.
class ReadBackJob : public std::enable_shared_from_this<ReadBackJob> {
 public:
  // The operation has a use of the image. It is settled when nothing is under way any more, and `result` is filled in.
  ReadBackJob(std::shared_ptr<ImageHandle> image, ReadBackLimits limits, Digests digests, Operation* operation,
              std::shared_ptr<ReadBackResult> result);

  // JS thread. Once.
  void start();
  // JS thread. Nothing more is read; the operation fails with ECANCELED unless it is over.
  void cancel();
  // Any thread. Bytes from the start that are in the digest.
  std::uint64_t position() const { return position_; }

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Ready = std::map<std::size_t, std::unique_ptr<Block>>;

  // One of the addon's threads: it waits for the cluster.
  void begin();

  // The hashers. They let go of the mutex while they read and hash.
  void run();
  bool advance(Lock& lock);  // false when there is nothing to do but wait, or stop
  bool read(Lock& lock);
  bool pass_over(Lock& lock);
  bool hash(Lock& lock);
  void settle(Lock& lock);

  // The caller holds the mutex.
  bool stopped();
  void wake();
  std::unique_ptr<Block> free_block();

  Status find_data();
  std::string leaf_of(const char* data, std::size_t length) const;
  std::size_t length_of(std::size_t piece) const;

  // Any thread: librbd's callback strand.
  struct Sent;
  static void Complete(rbd_completion_t completion, void* sent);
  void completed(ssize_t value, std::size_t piece, std::unique_ptr<Block> block);

  const std::shared_ptr<ImageHandle> image_;
  const ReadBackLimits limits_;
  const std::uint64_t size_;
  const std::size_t pieces_;
  const std::size_t most_lanes_;
  std::shared_ptr<ReadBackResult> result_;
  std::atomic<std::uint64_t> position_{0};

  // Before there are lanes.
  std::vector<bool> holds_data_;  // by piece
  std::vector<char> zeros_;       // a piece of them
  std::string zero_leaf_;

  std::mutex mutex_;  // may be held when the environment's is taken, never the other way round
  Operation* operation_;
  std::size_t lanes_ = 0;
  std::size_t reading_ = 0;
  std::size_t blocks_ = 0;     // that there are
  std::size_t next_read_ = 0;  // piece
  std::size_t next_ = 0;       // piece: all before it are in the digest
  std::uint64_t stored_ = 0;
  std::vector<std::unique_ptr<Block>> free_;
  Ready ready_;                                 // read, and not hashed
  std::map<std::size_t, std::string> leaves_;  // digests of pieces that wait for an earlier one
  Status failure_;
  Digests digests_;  // of one stream: the only lane's, without the mutex
};

}  // namespace cellar
