#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "args.hpp"
#include "digests.hpp"
#include "handle.hpp"

namespace cellar {

// Digests of bytes that come in order from JavaScript, on the hashers. It talks to no cluster: a root of its own
// in the tree of handles, so that the end of the environment waits for it as for a connection.
//
// A strand: `run` is on one of the hashers or on none, never on two. While others wait, it is posted anew after some bytes.
class HasherHandle : public Handle {
 public:
  using Hashed = std::map<std::string, std::string>;

  HasherHandle(std::shared_ptr<Environment> environment, Digests digests)
      : Handle(std::move(environment), nullptr), digests_(std::move(digests)) {}

  // JS thread. The operation is the hasher's until the bytes, which are borrowed, have been looked at.
  void update(Operation* operation, Bytes chunk);
  // JS thread. Settled after everything before it, with `hashed` filled in.
  void finish(Operation* operation, std::shared_ptr<Hashed> hashed);

  // JS thread.
  bool finished = false;

 private:
  struct Step {
    Operation* operation;
    Bytes chunk;
    std::shared_ptr<Hashed> hashed;  // of finish() only
  };

  void release(Done done) override { done({}); }

  void add(Step step);
  void resume();
  void run();  // one of the hashers
  Status take(Step& step);

  std::mutex mutex_;
  std::deque<Step> steps_;
  bool running_ = false;  // `run` is on a thread, or posted

  Digests digests_;  // the strand's
};

}  // namespace cellar
