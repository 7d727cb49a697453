#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "operation.hpp"
#include "pool.hpp"

namespace cellar {

// How many watchers acknowledged a notify, and how many did not.
struct Heard {
  std::size_t acks = 0;
  std::size_t timeouts = 0;
};

// One notify on its way. Who is first settles its operation: librados' callback; a timer of ours, because librados has none
// for a notify that the OSD took and has not ended; or the end of the environment. The operation has the use of the pool, so
// close() waits for that and no longer. This lives on until librados calls back, and the pool's io context with it, which
// librados' completion points to.
class Notifying {
 public:
  Notifying(std::shared_ptr<PoolHandle> pool, std::string payload, Operation* operation, std::shared_ptr<Heard> heard);
  ~Notifying();
  Notifying(const Notifying&) = delete;

  // JS thread. Once. The OSD counts in whole seconds.
  void start(const std::shared_ptr<Notifying>& self, const std::string& object, std::uint64_t seconds);
  // Any thread.
  void settle(int code);

 private:
  // librados' callback thread.
  static void Complete(rados_completion_t completion, void* notifying);
  void answered(int code);
  Status decode();

  // Null when it was settled; else the caller settles it.
  Operation* claim();
  static void End(Operation* operation, Status status);

  const std::shared_ptr<ClusterHandle> cluster_;
  const std::shared_ptr<void> context_;
  const std::string payload_;
  std::atomic<Operation*> operation_;
  const std::shared_ptr<Heard> heard_;  // whoever claims the operation writes it
  char* reply_ = nullptr;
  std::size_t length_ = 0;
};

}  // namespace cellar
