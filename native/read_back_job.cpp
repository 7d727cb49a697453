#include "read_back_job.hpp"

#include "environment.hpp"
#include "operation.hpp"

namespace cellar {
namespace {

constexpr const char* kCall = "rbd_aio_read";

// Two threads hash as fast as a link of 10 Gbit/s brings it; guests want the processors too.
constexpr std::size_t kMostLanes = 4;

// Bytes whose data is asked for at once: where there is none nobody calls back, and only between two of these is seen that
// it is to stop. Without an object map it is 8192 questions to the cluster.
constexpr std::uint64_t kStretch = std::uint64_t{32} << 30;

}  // namespace

// One rbd_aio_read.
struct ReadBackJob::Sent {
  std::shared_ptr<ReadBackJob> job;
  std::size_t piece;
  std::unique_ptr<Block> block;
};

ReadBackJob::ReadBackJob(std::shared_ptr<ImageHandle> image, ReadBackLimits limits, Digests digests, Operation* operation,
                         std::shared_ptr<ReadBackResult> result)
    : image_(std::move(image)),
      limits_(limits),
      size_(image_->size),
      pieces_((size_ + limits.piece_size - 1) / limits.piece_size),
      most_lanes_(limits.in_pieces ? kMostLanes : 1),
      result_(std::move(result)),
      operation_(operation),
      digests_(std::move(digests)) {}

void ReadBackJob::start() {
  image_->environment().surveyors.post([self = shared_from_this()] { self->begin(); });
}

void ReadBackJob::cancel() {
  std::lock_guard lock(mutex_);
  if (!failure_.failed()) failure_ = {kCall, -ECANCELED};
}

void ReadBackJob::begin() {
  zeros_.resize(limits_.piece_size);
  if (limits_.in_pieces) zero_leaf_ = leaf_of(zeros_.data(), zeros_.size());
  Status status = find_data();
  if (limits_.in_pieces && zero_leaf_.empty()) status = {"EVP_Digest", -EIO};
  std::lock_guard lock(mutex_);
  if (status.failed() && !failure_.failed()) failure_ = std::move(status);
  wake();
}

// In whole objects, so that the object map alone can answer where the image has one: librbd's own reads go by it too.
//
// Implements:
//   int rbd_diff_iterate2(rbd_image_t image, const char *fromsnapname, uint64_t ofs, uint64_t len,
//                         uint8_t include_parent, uint8_t whole_object,
//                         int (*cb)(uint64_t, size_t, int, void *), void *arg);
Status ReadBackJob::find_data() {
  holds_data_.resize(pieces_);
  if (size_ == 0) return {};
  const auto mark = [](std::uint64_t offset, std::size_t length, int exists, void* data) {
    auto* self = static_cast<ReadBackJob*>(data);
    const std::size_t first = offset / self->limits_.piece_size;
    const std::size_t last = (offset + std::max<std::size_t>(length, 1) - 1) / self->limits_.piece_size;
    for (std::size_t piece = first; exists != 0 && piece <= last && piece < self->pieces_; ++piece) {
      self->holds_data_[piece] = true;
    }
    std::lock_guard lock(self->mutex_);
    return self->stopped() ? -ECANCELED : 0;
  };
  for (std::uint64_t start = 0; start < size_; start += kStretch) {
    {
      std::lock_guard lock(mutex_);
      if (stopped()) return {kCall, -ECANCELED};
    }
    const std::uint64_t length = std::min(kStretch, size_ - start);
    const int code = rbd_diff_iterate2(image_->image, nullptr, start, length, 1, 1, mark, this);
    if (code < 0) return {"rbd_diff_iterate2", code};
  }
  return {};
}

void ReadBackJob::run() {
  Lock lock(mutex_);
  bool more = true;
  while ((more = advance(lock)) && !image_->environment().hashers.crowded()) {
  }
  --lanes_;
  if (more) return wake();
  const bool over = stopped() || next_ == pieces_;
  if (over && lanes_ == 0 && reading_ == 0 && operation_ != nullptr) settle(lock);
}

// One turn. Reads come first: the cluster is kept busy meanwhile.
bool ReadBackJob::advance(Lock& lock) {
  while (!stopped() && read(lock)) {
  }
  if (stopped()) {
    ready_.clear();
    return false;
  }
  return pass_over(lock) || hash(lock);
}

// What is next in the digest and needs no more reading: holes, and pieces that were hashed out of turn.
bool ReadBackJob::pass_over(Lock& lock) {
  const std::size_t before = next_;
  for (; next_ < pieces_; position_ = std::min<std::uint64_t>(size_, ++next_ * limits_.piece_size)) {
    const auto leaf = leaves_.find(next_);
    if (leaf != leaves_.end()) {
      digests_.update(leaf->second.data(), leaf->second.size());
      leaves_.erase(leaf);
      continue;
    }
    if (holds_data_[next_]) break;
    const std::size_t length = length_of(next_);
    if (limits_.in_pieces) {
      const std::string leaf = length == zeros_.size() ? zero_leaf_ : leaf_of(zeros_.data(), length);
      if (leaf.empty() && !failure_.failed()) failure_ = {"EVP_Digest", -EIO};
      digests_.update(leaf.data(), leaf.size());
      continue;
    }
    lock.unlock();
    digests_.update(zeros_.data(), length);
    lock.lock();
    position_ = std::min<std::uint64_t>(size_, ++next_ * limits_.piece_size);
    return true;
  }
  return next_ > before;
}

// Implements:
//   int rbd_aio_read(rbd_image_t image, uint64_t off, size_t len, char *buf, rbd_completion_t c);
bool ReadBackJob::read(Lock& lock) {
  while (next_read_ < pieces_ && !holds_data_[next_read_]) ++next_read_;
  if (next_read_ == pieces_) return false;
  auto block = free_block();
  if (!block) return false;
  const std::size_t piece = next_read_++;
  block->filled = length_of(piece);
  ++reading_;
  lock.unlock();
  char* data = block->data.get();
  const std::size_t length = block->filled;
  auto* sent = new Sent{shared_from_this(), piece, std::move(block)};
  ++image_->environment().in_flight;
  rbd_completion_t completion = nullptr;
  int code = rbd_aio_create_completion(sent, Complete, &completion);
  if (code == 0) {
    code = rbd_aio_read(image_->image, piece * limits_.piece_size, length, data, completion);
    if (code < 0) rbd_aio_release(completion);
  }
  if (code < 0) {  // it did not start, so the callback will not come
    completed(code, piece, std::move(sent->block));
    delete sent;
  }
  lock.lock();
  return true;
}

bool ReadBackJob::hash(Lock& lock) {
  if (ready_.empty() || (!limits_.in_pieces && ready_.begin()->first != next_)) return false;
  const auto first = ready_.begin();
  const std::size_t piece = first->first;
  auto block = std::move(first->second);
  ready_.erase(first);
  lock.unlock();
  std::uint64_t stored = 0;
  for (const auto& [start, end] : DataExtents(*block, limits_.granule)) stored += end - start;
  std::string leaf;
  if (!limits_.in_pieces) {
    digests_.update(block->data.get(), block->filled);
  } else if (stored == 0 && block->filled == zeros_.size()) {
    leaf = zero_leaf_;
  } else {
    leaf = leaf_of(block->data.get(), block->filled);
  }
  lock.lock();
  stored_ += stored;
  free_.push_back(std::move(block));
  if (limits_.in_pieces) {
    if (leaf.empty() && !failure_.failed()) failure_ = {"EVP_Digest", -EIO};
    leaves_.emplace(piece, std::move(leaf));
  } else {
    position_ = std::min<std::uint64_t>(size_, ++next_ * limits_.piece_size);
  }
  return true;
}

void ReadBackJob::settle(Lock& lock) {
  Operation* operation = std::exchange(operation_, nullptr);
  Status status = failure_;
  if (stopped() && !status.failed()) status = {kCall, -ECANCELED};
  if (!status.failed()) {
    const auto digests = digests_.finish();
    if (digests.empty()) {
      status = {"EVP_DigestFinal_ex", -EIO};
    } else {
      *result_ = {digests.begin()->second, size_, stored_};
    }
  }
  // JavaScript may keep the job, which looks small to it, for long.
  free_.clear();
  ready_.clear();
  leaves_.clear();
  zeros_ = {};
  holds_data_ = {};
  lock.unlock();
  operation->status = std::move(status);
  Operation::finish(operation);
}

bool ReadBackJob::stopped() { return failure_.failed() || image_->environment().tearing_down; }

void ReadBackJob::wake() {
  if (lanes_ == most_lanes_) return;
  ++lanes_;
  image_->environment().hashers.post([self = shared_from_this()] { self->run(); });
}

// Null when all are in use, or there is no memory.
std::unique_ptr<Block> ReadBackJob::free_block() {
  if (free_.empty()) {
    if (blocks_ == limits_.in_flight) return nullptr;
    ++blocks_;
    auto block = Block::Make(limits_.piece_size);
    if (!block && !failure_.failed()) failure_ = {kCall, -ENOMEM};
    return block;
  }
  auto block = std::move(free_.back());
  free_.pop_back();
  return block;
}

std::string ReadBackJob::leaf_of(const char* data, std::size_t length) const {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  if (EVP_Digest(data, length, bytes, &count, EVP_sha512(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(bytes), count};
}

std::size_t ReadBackJob::length_of(std::size_t piece) const {
  return std::min<std::uint64_t>(limits_.piece_size, size_ - piece * limits_.piece_size);
}

void ReadBackJob::Complete(rbd_completion_t completion, void* data) {
  std::unique_ptr<Sent> sent(static_cast<Sent*>(data));
  const ssize_t value = rbd_aio_get_return_value(completion);
  rbd_aio_release(completion);
  sent->job->completed(value, sent->piece, std::move(sent->block));
}

void ReadBackJob::completed(ssize_t value, std::size_t piece, std::unique_ptr<Block> block) {
  --image_->environment().in_flight;
  std::lock_guard lock(mutex_);
  --reading_;
  if (value == static_cast<ssize_t>(block->filled)) {
    ready_.emplace(piece, std::move(block));
  } else if (!failure_.failed()) {
    failure_ = {kCall, value < 0 ? static_cast<int>(value) : -EIO};
  }
  wake();
}

}  // namespace cellar
