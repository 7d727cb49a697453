#include "handle.hpp"

#include "environment.hpp"
#include "exit.hpp"
#include "operation.hpp"

namespace cellar {

Handle::Handle(std::shared_ptr<Environment> environment, std::shared_ptr<Handle> parent)
    : environment_(std::move(environment)), parent_(std::move(parent)) {}

bool Handle::attach() {
  std::lock_guard lock(environment_->mutex);
  if (parent_ == nullptr) {
    if (environment_->tearing_down) return false;
    environment_->roots.insert(shared_from_this());
    ConnectionOpened();
    return true;
  }
  if (parent_->closing_) return false;
  ++parent_->uses_;
  parent_->children_.insert(shared_from_this());
  return true;
}

bool Handle::enter() {
  std::lock_guard lock(environment_->mutex);
  if (closing_) return false;
  ++uses_;
  return true;
}

void Handle::leave() {
  std::lock_guard lock(environment_->mutex);
  leave_locked();
}

bool Handle::closing() const {
  std::lock_guard lock(environment_->mutex);
  return closing_;
}

void Handle::close() {
  std::lock_guard lock(environment_->mutex);
  close_locked(true);
}

void Handle::abandon() {
  std::lock_guard lock(environment_->mutex);
  close_locked(false);
}

void Handle::when_released(Operation* operation) {
  std::lock_guard lock(environment_->mutex);
  if (!released_) {
    waiting_.push_back(operation);
    return;
  }
  operation->status = result_;
  environment_->deliver_locked(operation);
}

void Handle::close_locked(bool with_children) {
  if (with_children) {
    for (const auto& child : children_) child->close_locked(true);
  }
  if (closing_) return;
  closing_ = true;
  release_if_unused();
}

void Handle::leave_locked() {
  --uses_;
  release_if_unused();
}

void Handle::release_if_unused() {
  if (!closing_ || uses_ > 0) return;
  environment_->threads.post([self = shared_from_this()] {
    self->release([self](Status status) { self->released(std::move(status)); });
  });
}

// The thread that ended the release. The child's close() settles before its parent's.
void Handle::released(Status status) {
  std::lock_guard lock(environment_->mutex);
  released_ = true;
  result_ = std::move(status);
  for (Operation* operation : std::exchange(waiting_, {})) {
    operation->status = result_;
    environment_->deliver_locked(operation);
  }
  if (parent_ == nullptr) {
    environment_->roots.erase(shared_from_this());
    ConnectionReleased();
    environment_->root_released.notify_all();
    return;
  }
  parent_->children_.erase(shared_from_this());
  parent_->leave_locked();
}

}  // namespace cellar
