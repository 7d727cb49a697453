#include <algorithm>

#include "environment.hpp"
#include "watch.hpp"

namespace cellar {
namespace {

constexpr const char* kCall = "rados_watch3";

}  // namespace

// Implements:
//   int rados_watch3(rados_ioctx_t io, const char *o, uint64_t *cookie, rados_watchcb2_t watchcb,
//                    rados_watcherrcb_t watcherrcb, uint32_t timeout, void *arg);
int WatchHandle::start(std::uint32_t timeout_seconds) {
  const int code = rados_watch3(pool->io, object.c_str(), &cookie_, Notified, Broken, timeout_seconds, this);
  started_ = code == 0;
  return code;
}

void WatchHandle::wait(std::uint64_t ticket, Operation* operation, Answer answer) {
  std::unique_lock lock(mutex_);
  if (notices_.empty() && failure_ == 0) {
    waiting_.push_back({ticket, operation, std::move(answer)});
    return;
  }
  if (notices_.empty()) {
    operation->status = {kCall, failure_};
  } else {
    *answer = std::move(notices_.front());
    notices_.pop_front();
  }
  lock.unlock();
  Operation::finish(operation);
}

void WatchHandle::give_up(std::uint64_t ticket) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const Waiting& waiting) { return waiting.ticket == ticket; });
  if (found == waiting_.end()) return;
  Operation* operation = found->operation;
  waiting_.erase(found);
  lock.unlock();
  Operation::finish(operation);
}

// Asynchronous as far as it goes, so that many watches on a dead cluster wait for its deadline together. After the flush
// no callback comes any more.
//
// Implements:
//   int rados_aio_unwatch(rados_ioctx_t io, uint64_t cookie, rados_completion_t completion);
//   int rados_watch_flush(rados_t cluster);
void WatchHandle::release(Done done) {
  broken(-EBADF);
  if (!started_) return done({"rados_aio_unwatch"});
  struct Ending {
    std::shared_ptr<WatchHandle> watch;
    Done done;
    int code = 0;
  };
  auto* ending = new Ending{std::static_pointer_cast<WatchHandle>(shared_from_this()), std::move(done)};
  const auto unwatched = [](rados_completion_t completion, void* data) {
    auto* ending = static_cast<Ending*>(data);
    ending->code = rados_aio_get_return_value(completion);
    ending->watch->environment().threads.post([ending] {
      std::unique_ptr<Ending> self(ending);
      rados_watch_flush(self->watch->pool->cluster->cluster);
      // Gone already: the object was removed, or the OSD dropped us.
      const bool ended = self->code == -ENOENT || self->code == -ENOTCONN;
      self->done({"rados_aio_unwatch", ended ? 0 : self->code});
    });
  };
  rados_completion_t completion = nullptr;
  rados_aio_create_completion2(ending, unwatched, &completion);
  if (rados_aio_unwatch(pool->io, cookie_, completion) < 0) unwatched(completion, ending);
  rados_aio_release(completion);
}

// Acknowledged at once: the notifier waits for the slowest watcher.
//
// Implements:
//   int rados_notify_ack(rados_ioctx_t io, const char *o, uint64_t notify_id, uint64_t cookie, const char *buf, int buf_len);
void WatchHandle::Notified(void* watch, std::uint64_t notify, std::uint64_t cookie, std::uint64_t notifier, void* data,
                           std::size_t length) {
  auto* self = static_cast<WatchHandle*>(watch);
  self->notified({std::string(static_cast<const char*>(data), std::min(length, kMostBytes)), notifier});
  rados_notify_ack(self->pool->io, self->object.c_str(), notify, cookie, nullptr, 0);
}

void WatchHandle::Broken(void* watch, std::uint64_t, int code) { static_cast<WatchHandle*>(watch)->broken(code); }

void WatchHandle::notified(Notice notice) {
  std::unique_lock lock(mutex_);
  if (waiting_.empty()) {
    notices_.push_back(std::move(notice));
    if (notices_.size() > kMostKept) notices_.pop_front();
    return;
  }
  const Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  *first.answer = std::move(notice);
  lock.unlock();
  Operation::finish(first.operation);
}

void WatchHandle::broken(int code) {
  std::unique_lock lock(mutex_);
  if (failure_ == 0) failure_ = code;
  const auto waiting = std::exchange(waiting_, {});
  lock.unlock();
  for (const Waiting& each : waiting) {
    each.operation->status = {kCall, code};
    Operation::finish(each.operation);
  }
}

}  // namespace cellar
