#pragma once

#include <rados/librados.h>

#include <map>
#include <memory>
#include <mutex>

namespace cellar {

class Notifying;

// The notifies of one connection that librados has not called back for. Any thread.
class Notifies {
 public:
  void add(const std::shared_ptr<Notifying>& notifying);
  // librados has it no more.
  std::shared_ptr<Notifying> take(Notifying* notifying);
  // Settles all.
  void give_up();
  // The connection ends. False when librados has none of them: then it can be shut down. Otherwise it must not be: what answers
  // a notify looks for what the shutdown has freed (a segmentation fault, seen with 16.2.15). It is shut down when it has called
  // back for the last one; until then, or for ever, the process ends by _exit(2).
  bool keep(rados_t cluster);
  // librados' callback thread, when it has no use of the connection any more.
  void called_back();

 private:
  std::mutex mutex_;  // under it nothing is called
  std::map<Notifying*, std::shared_ptr<Notifying>> notifies_;
  rados_t kept_ = nullptr;
};

}  // namespace cellar
