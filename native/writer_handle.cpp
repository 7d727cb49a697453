#include "writer_handle.hpp"

#include "environment.hpp"

namespace cellar {
namespace {

// Hashed and then copied while it is still in the processor's cache.
constexpr std::size_t kBite = 128 * 1024;

}  // namespace

// One rbd_aio_write or rbd_aio_flush.
struct WriterHandle::Sent {
  std::shared_ptr<WriterHandle> writer;
  const char* call;
  Block* block;
};

void WriterHandle::append(Operation* operation, Bytes chunk) { add({operation, chunk, nullptr}); }

void WriterHandle::finish(Operation* operation, std::shared_ptr<Written> written) {
  add({operation, {}, std::move(written)});
}

void WriterHandle::release(Done done) {
  {
    std::lock_guard lock(mutex_);
    gathered_.reset();
    free_.clear();
  }
  done({});
}

// The operation has a use of this handle, so there is one to be had.
void WriterHandle::add(Step step) {
  std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
  if (!use_) use_ = Use::of(shared_from_this());
  if (!running_ && !waiting_) resume();
}

void WriterHandle::resume() {
  running_ = true;
  environment().hashers.post([self = std::static_pointer_cast<WriterHandle>(shared_from_this())] { self->run(); });
}

// What has to be let go of, without the mutex, when nothing is under way any more.
Use WriterHandle::unused() { return running_ || waiting_ || in_flight_ > 0 ? Use() : std::move(use_); }

void WriterHandle::run() {
  Use last;
  Lock lock(mutex_);
  turn_ = 0;
  while (is_full() || !steps_.empty()) {
    if (turn_ >= Environment::kTurn && environment().hashers.crowded()) return resume();
    if (advance(lock)) continue;
    waiting_ = true;
    break;
  }
  running_ = false;
  last = unused();
}

bool WriterHandle::advance(Lock& lock) {
  // Nobody will hear of it: what is on its way is waited for, the rest is left.
  if (environment().tearing_down && !failure_.failed()) failure_ = {"rbd_aio_write", -ECANCELED};
  if (is_full()) {
    if (!may_send()) return false;
    send();
    return true;
  }
  Step& step = steps_.front();  // stays where it is: only the strand takes steps away
  if (failure_.failed() && !step.written) {
    settle(failure_, lock);
  } else if (step.written) {
    return end(step, lock);
  } else {
    take(step, lock);
  }
  return true;
}

// As much as the object has room for.
void WriterHandle::take(Step& step, Lock& lock) {
  if (step.rest.length > 0 && !gathered_ && !(gathered_ = free_block())) {
    failure_ = {"mmap", -ENOMEM};
    return;
  }
  lock.unlock();
  while (step.rest.length > 0 && gathered_->filled < limits_.object_size) {
    const std::size_t length = std::min({step.rest.length, limits_.object_size - gathered_->filled, kBite});
    digests_.update(step.rest.data, length);
    std::memcpy(gathered_->data.get() + gathered_->filled, step.rest.data, length);
    gathered_->filled += length;
    received_ += length;
    turn_ += length;
    step.rest = {step.rest.data + length, step.rest.length - length};
  }
  lock.lock();
  if (step.rest.length == 0) settle({"rbd_aio_write"}, lock);
}

// The last object, then everything that is on its way, then the flush. After a failure only the waiting is left.
bool WriterHandle::end(Step& step, Lock& lock) {
  if (gathered_ && gathered_->filled > 0) {
    if (!may_send()) return false;
    send();
    return true;
  }
  if (in_flight_ > 0) return false;
  if (!flushed_ && !failure_.failed()) {
    flushed_ = true;
    flush(lock);
    return true;
  }
  Status status = failure_;
  if (!status.failed()) {
    *step.written = {received_, written_, digests_.finish()};
    if (step.written->digests.empty()) status = {"EVP_DigestFinal_ex", -EIO};
  }
  settle(status, lock);
  return true;
}

// Of the first step, which is done.
void WriterHandle::settle(Status status, Lock& lock) {
  Operation* operation = steps_.front().operation;
  steps_.pop_front();
  lock.unlock();
  operation->status = std::move(status);
  Operation::finish(operation);
  lock.lock();
}

std::unique_ptr<Block> WriterHandle::free_block() {
  if (free_.empty()) return Block::Make(limits_.object_size);
  auto block = std::move(free_.back());
  free_.pop_back();
  block->filled = 0;
  return block;
}

// Gives the gathered object to the sender. The block comes back with its last completion.
void WriterHandle::send() {
  const std::uint64_t offset = std::exchange(offset_, offset_ + gathered_->filled);
  if (failure_.failed()) {
    free_.push_back(std::move(gathered_));
    return;
  }
  ++in_flight_;
  ++environment().in_flight;
  auto self = std::static_pointer_cast<WriterHandle>(shared_from_this());
  environment().sender.post([self, block = gathered_.release(), offset] { self->write(block, offset); });
}

// Writes what holds data of the object. The count holds one for this function, so that the block stays until its end.
//
// Implements:
//   int rbd_aio_write(rbd_image_t image, uint64_t off, size_t len, const char *buf, rbd_completion_t c);
void WriterHandle::write(Block* block, std::uint64_t offset) {
  auto extents = DataExtents(*block, limits_.granule);
  {
    std::lock_guard lock(mutex_);
    if (failure_.failed()) extents.clear();
    block->writes = extents.size() + 1;
    for (const auto& [start, end] : extents) written_ += end - start;
  }
  for (const auto& [start, end] : extents) {
    submit("rbd_aio_write", block, [&, start = start, end = end](rbd_completion_t completion) {
      return rbd_aio_write(image->image, offset + start, end - start, block->data.get() + start, completion);
    });
  }
  completed({"rbd_aio_write"}, block);
}

// Implements:
//   int rbd_aio_flush(rbd_image_t image, rbd_completion_t c);
void WriterHandle::flush(Lock& lock) {
  ++in_flight_;
  lock.unlock();
  submit("rbd_aio_flush", nullptr, [&](rbd_completion_t completion) { return rbd_aio_flush(image->image, completion); });
  lock.lock();
}

template <typename Start>
void WriterHandle::submit(const char* call, Block* block, Start start) {
  auto* sent = new Sent{std::static_pointer_cast<WriterHandle>(shared_from_this()), call, block};
  ++environment().in_flight;
  rbd_completion_t completion = nullptr;
  int code = rbd_aio_create_completion(sent, Complete, &completion);
  if (code == 0) {
    code = start(completion);
    if (code == 0) return;
    rbd_aio_release(completion);
  }
  delete sent;  // it did not start, so the callback will not come
  completed({call, code}, block);
}

void WriterHandle::Complete(rbd_completion_t completion, void* data) {
  std::unique_ptr<Sent> sent(static_cast<Sent*>(data));
  const ssize_t value = rbd_aio_get_return_value(completion);
  rbd_aio_release(completion);
  sent->writer->completed({sent->call, value < 0 ? static_cast<int>(value) : 0}, sent->block);
}

void WriterHandle::completed(Status status, Block* block) {
  --environment().in_flight;
  Use last;
  std::lock_guard lock(mutex_);
  if (status.failed() && !failure_.failed()) failure_ = std::move(status);
  if (block != nullptr) {
    if (--block->writes > 0) return;
    free_.emplace_back(block);
  }
  --in_flight_;
  if (std::exchange(waiting_, false)) resume();
  last = unused();
}

}  // namespace cellar
