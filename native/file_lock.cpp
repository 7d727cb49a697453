#include "file_lock.hpp"

#include <fcntl.h>

#include <csignal>

#include "args.hpp"
#include "error.hpp"

// Node has no fcntl locks, and flock(1) takes a lock of another kind, which these do not see.

namespace cellar {
namespace {

// JS thread. True when the call did it, false when it is for others to let go first; anything else is thrown.
Napi::Value Answer(Napi::Env env, int result) {
  if (result == 0) return Napi::Boolean::New(env, true);
  if (errno == EAGAIN) return Napi::Boolean::New(env, false);
  napi_throw(env, MakeError(env, {"fcntl", -errno, ""}, {}));
  return env.Undefined();
}

}  // namespace

// Implements:
//   int fcntl(int fd, F_OFD_SETLK, struct flock *lock);
Napi::Value TryLockFile(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto fd = static_cast<int>(args.number(info[0], "fd"));
  if (args.refused()) return args.raise("fcntl", {});
  // Of the open file and not of the process: closing another descriptor of the same file does not lose it. It conflicts with
  // the locks of the process (F_SETLK, lockf) that others take.
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return Answer(info.Env(), fcntl(fd, F_OFD_SETLK, &lock));
}

// Implements:
//   int fcntl(int fd, F_SETLEASE, F_WRLCK);
//   int fcntl(int fd, F_SETSIG, int signal);
Napi::Value TryLeaseFile(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto fd = static_cast<int>(args.number(info[0], "fd"));
  if (args.refused()) return args.raise("fcntl", {});
  // Who opens the file now waits for us and we are told by a signal: one that is ignored by default, not SIGIO, which kills.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return Answer(info.Env(), -1);
  return Answer(info.Env(), fcntl(fd, F_SETLEASE, F_WRLCK));
}

}  // namespace cellar
