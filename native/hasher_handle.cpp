#include "hasher_handle.hpp"

#include "environment.hpp"
#include "operation.hpp"

namespace cellar {

void HasherHandle::update(Operation* operation, Bytes chunk) { add({operation, chunk, nullptr}); }

void HasherHandle::finish(Operation* operation, std::shared_ptr<Hashed> hashed) {
  add({operation, {}, std::move(hashed)});
}

void HasherHandle::add(Step step) {
  std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
  if (!std::exchange(running_, true)) resume();
}

void HasherHandle::resume() {
  environment().hashers.post([self = std::static_pointer_cast<HasherHandle>(shared_from_this())] { self->run(); });
}

void HasherHandle::run() {
  std::unique_lock lock(mutex_);
  std::size_t turn = 0;  // bytes
  while (!steps_.empty()) {
    if (turn >= Environment::kTurn && environment().hashers.crowded()) return resume();
    Step step = std::move(steps_.front());
    steps_.pop_front();
    turn += step.chunk.length;
    lock.unlock();
    step.operation->status = take(step);
    Operation::finish(step.operation);
    lock.lock();
  }
  running_ = false;
}

Status HasherHandle::take(Step& step) {
  if (environment().tearing_down) return {"EVP_DigestUpdate", -ECANCELED};  // nobody will hear of it
  if (!step.hashed) {
    digests_.update(step.chunk.data, step.chunk.length);
    return {"EVP_DigestUpdate"};
  }
  *step.hashed = digests_.finish();
  return {"EVP_DigestFinal_ex", step.hashed->empty() ? -EIO : 0};
}

}  // namespace cellar
