#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "status.hpp"

namespace cellar {

class Environment;
struct Operation;

// What a Cluster, an IoCtx and an Image have in common: a place in the tree cluster -> pool -> image, a count of those
// who are using it now, and an end that comes once: when it was closed or abandoned and nobody uses it any more.
//
//   attach()   takes a place under its parent, and keeps the parent from being released
//   enter()    for each operation, until its C call is over
//   close()    no new operation (EBADF), the same for everything below; released when the last operation has left
//   abandon()  the same, but what is below lives on: its JavaScript object was collected
//   give_up()  the environment ends: settles those who wait for longer than the deadlines of librados, if there are any
//   release()  rbd_aio_close, rados_ioctx_destroy or rados_shutdown; once, on one of the addon's threads
//
// All of it is guarded by the environment's mutex and may be called on any thread. The destructor calls nothing.
class Handle : public std::enable_shared_from_this<Handle> {
 public:
  Handle(std::shared_ptr<Environment> environment, std::shared_ptr<Handle> parent);
  virtual ~Handle() = default;

  bool attach();
  bool enter();
  void leave();
  bool closing() const;
  void close();
  void abandon();
  virtual void give_up() {}

  // Settles `operation` when the handle is released, with what the release answered.
  void when_released(Operation* operation);

  Environment& environment() const { return *environment_; }

 protected:
  using Done = std::function<void(Status)>;

  // One of the addon's threads. Calls `done` when the C handle is gone, on any thread but under none of our locks.
  virtual void release(Done done) = 0;

 private:
  // These need the environment's mutex.
  void close_locked(bool with_children);
  void leave_locked();
  void release_if_unused();

  void released(Status status);

  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Handle> parent_;
  std::set<std::shared_ptr<Handle>> children_;
  std::vector<Operation*> waiting_;
  std::size_t uses_ = 0;
  bool closing_ = false;
  bool released_ = false;
  Status result_;
};

// One use of a handle, given back when this goes out of scope. Any thread.
class Use {
 public:
  // Empty when the handle is closing.
  static Use of(std::shared_ptr<Handle> handle) {
    Use use;
    if (handle->enter()) use.handle_ = std::move(handle);
    return use;
  }

  Use() = default;
  Use(Use&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Use& operator=(Use&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Use() {
    if (handle_) handle_->leave();
  }

  explicit operator bool() const { return handle_ != nullptr; }

 private:
  std::shared_ptr<Handle> handle_;
};

}  // namespace cellar
