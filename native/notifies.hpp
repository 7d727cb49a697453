#pragma once

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
  // librados was shut down: it calls back for none of them.
  void forget();

 private:
  std::mutex mutex_;  // under it nothing is called
  std::map<Notifying*, std::shared_ptr<Notifying>> notifies_;
};

}  // namespace cellar
