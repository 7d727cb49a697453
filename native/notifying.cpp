#include "notifying.hpp"

#include <dlfcn.h>

#include <thread>
#include <utility>

#include "environment.hpp"
#include "exit.hpp"

namespace cellar {
namespace {

constexpr const char* kCall = "rados_aio_notify";

// Node unloads an addon with the last environment that uses it; librados may call back later than that.
void StayLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&StayLoaded), &info) == 0) return;
  dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace

Notifying::Notifying(std::shared_ptr<PoolHandle> pool, std::string payload, Operation* operation,
                     std::shared_ptr<Heard> heard)
    : cluster_(pool->cluster),
      context_(pool->context),
      payload_(std::move(payload)),
      operation_(operation),
      heard_(std::move(heard)) {}

Notifying::~Notifying() {
  if (reply_ != nullptr) rados_buffer_free(reply_);
}

// Implements:
//   int rados_aio_notify(rados_ioctx_t io, const char *o, rados_completion_t completion, const char *buf, int buf_len,
//                        uint64_t timeout_ms, char **reply_buffer, size_t *reply_buffer_len);
void Notifying::start(const std::shared_ptr<Notifying>& self, const std::string& object, std::uint64_t seconds) {
  cluster_->notifies.add(self);
  rados_completion_t completion = nullptr;
  rados_aio_create_completion2(this, Complete, &completion);
  const int code = rados_aio_notify(context_.get(), object.c_str(), completion, payload_.data(),
                                    static_cast<int>(payload_.size()), seconds * 1000, &reply_, &length_);
  rados_aio_release(completion);
  if (code == 0) return;
  cluster_->notifies.take(this);  // it did not start, so the callback will not come
  settle(code);
}

void Notifying::settle(int code) {
  if (Operation* operation = claim()) End(operation, {kCall, code});
}

void Notifying::Complete(rados_completion_t completion, void* data) {
  auto* notifying = static_cast<Notifying*>(data);
  const auto cluster = notifying->cluster_;
  if (const auto self = cluster->notifies.take(notifying)) self->answered(rados_aio_get_return_value(completion));
  cluster->notifies.called_back();
}

// ETIMEDOUT with an answer says that some did not acknowledge; without one, that the OSD is silent.
void Notifying::answered(int code) {
  Operation* operation = claim();
  if (operation == nullptr) return;
  if (length_ > 0 && (code >= 0 || code == -ETIMEDOUT)) {
    End(operation, decode());
  } else {
    End(operation, {kCall, code == -ENOENT ? 0 : std::min(code, 0)});
  }
}

// Implements:
//   int rados_decode_notify_response(char *reply_buffer, size_t reply_buffer_len, struct notify_ack_t **acks,
//                                    size_t *nr_acks, struct notify_timeout_t **timeouts, size_t *nr_timeouts);
Status Notifying::decode() {
  notify_ack_t* acks = nullptr;
  notify_timeout_t* timeouts = nullptr;
  const int code = rados_decode_notify_response(reply_, length_, &acks, &heard_->acks, &timeouts, &heard_->timeouts);
  if (code == 0) rados_free_notify_response(acks, heard_->acks, timeouts);
  return {"rados_decode_notify_response", code};
}

Operation* Notifying::claim() { return operation_.exchange(nullptr); }

void Notifying::End(Operation* operation, Status status) {
  operation->status = std::move(status);
  --operation->environment->in_flight;
  Operation::finish(operation);
}

void Notifies::add(const std::shared_ptr<Notifying>& notifying) {
  std::lock_guard lock(mutex_);
  notifies_.emplace(notifying.get(), notifying);
}

std::shared_ptr<Notifying> Notifies::take(Notifying* notifying) {
  std::lock_guard lock(mutex_);
  auto node = notifies_.extract(notifying);
  return node.empty() ? nullptr : std::move(node.mapped());
}

void Notifies::give_up() {
  std::map<Notifying*, std::shared_ptr<Notifying>> all;
  {
    std::lock_guard lock(mutex_);
    all = notifies_;
  }
  for (const auto& [bare, notifying] : all) notifying->settle(-ECANCELED);
}

bool Notifies::keep(rados_t cluster) {
  std::lock_guard lock(mutex_);
  if (notifies_.empty()) return false;
  kept_ = cluster;
  StayLoaded();
  ConnectionOpened();
  return true;
}

// In a thread of its own: the shutdown waits for the callback's.
void Notifies::called_back() {
  rados_t cluster = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (notifies_.empty()) cluster = std::exchange(kept_, nullptr);
  }
  if (cluster == nullptr) return;
  std::thread([cluster] {
    rados_shutdown(cluster);
    ConnectionReleased();
  }).detach();
}

}  // namespace cellar
