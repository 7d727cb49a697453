#include <sys/time.h>

#include "pool.hpp"

// Advisory locks of cls_lock on an object, with a lease on the OSD's clock.

namespace cellar {
namespace {

struct Locker {
  std::string client;
  std::string cookie;
  std::string address;
};

struct LockInfo {
  std::vector<Locker> lockers;
  bool exclusive = false;
  std::string tag;
};

std::uint8_t Flags(Args& args, Napi::Value renew) {
  if (renew.IsUndefined()) return 0;
  const std::string text = args.text(renew, "renew");
  if (text == "may") return LIBRADOS_LOCK_FLAG_MAY_RENEW;
  if (text == "must") return LIBRADOS_LOCK_FLAG_MUST_RENEW;
  args.refuse(-EINVAL, "renew must be 'may' or 'must'");
  return 0;
}

// One of the addon's threads. No object, or nobody on it, is a lock without lockers.
//
// Implements:
//   ssize_t rados_list_lockers(rados_ioctx_t io, const char *o, const char *name, int *exclusive, char *tag,
//                              size_t *tag_len, char *clients, size_t *clients_len, char *cookies,
//                              size_t *cookies_len, char *addrs, size_t *addrs_len);
Status List(const PoolHandle& pool, const std::string& object, const std::string& name, LockInfo& info) {
  std::vector<char> tag(256), clients(1024), cookies(1024), addresses(1024);
  ssize_t count = 0;
  int exclusive = 0;
  do {
    std::size_t sizes[] = {tag.size(), clients.size(), cookies.size(), addresses.size()};
    count = rados_list_lockers(pool.io, object.c_str(), name.c_str(), &exclusive, tag.data(), &sizes[0], clients.data(),
                               &sizes[1], cookies.data(), &sizes[2], addresses.data(), &sizes[3]);
    if (count == -ERANGE) {
      tag.resize(sizes[0] + 1);
      clients.resize(sizes[1] + 1);
      cookies.resize(sizes[2] + 1);
      addresses.resize(sizes[3] + 1);
    }
  } while (count == -ERANGE);
  if (count == -ENOENT) count = 0;
  if (count < 0) return {"rados_list_lockers", static_cast<int>(count)};

  const char* client = clients.data();
  const char* cookie = cookies.data();
  const char* address = addresses.data();
  for (ssize_t i = 0; i < count; ++i) {
    info.lockers.push_back({client, cookie, address});
    client += info.lockers.back().client.size() + 1;
    cookie += info.lockers.back().cookie.size() + 1;
    address += info.lockers.back().address.size() + 1;
  }
  if (count > 0) info.tag = tag.data();
  info.exclusive = count > 0 && exclusive != 0;
  return {"rados_list_lockers"};
}

Napi::Value ToObject(Napi::Env env, const LockInfo& info) {
  auto lockers = Napi::Array::New(env, info.lockers.size());
  for (std::uint32_t i = 0; i < info.lockers.size(); ++i) {
    auto locker = Napi::Object::New(env);
    locker.Set("client", info.lockers[i].client);
    locker.Set("cookie", info.lockers[i].cookie);
    locker.Set("address", info.lockers[i].address);
    lockers.Set(i, locker);
  }
  auto object = Napi::Object::New(env);
  object.Set("lockers", lockers);
  object.Set("exclusive", info.exclusive);
  object.Set("tag", info.tag);
  return object;
}

}  // namespace

// Without `renew` a lock that is already ours answers EEXIST. A lease of no duration would outlive its holder: refused.
//
// Implements:
//   int rados_lock_exclusive(rados_ioctx_t io, const char *oid, const char *name, const char *cookie, const char *desc,
//                            struct timeval *duration, uint8_t flags);
Napi::Value Pool::LockExclusive(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  Napi::Object lock = args.options(1, "lock");
  const std::string name = args.text(lock.Get("name"), "name");
  const std::string cookie = args.text(lock.Get("cookie"), "cookie", true);
  const std::string description = args.text(lock.Get("description"), "description", true);
  const std::uint64_t ms = args.number(lock.Get("durationMs"), "durationMs");
  if (ms == 0) args.refuse(-EINVAL, "durationMs must not be 0: that lock would never expire");
  const std::uint8_t flags = Flags(args, lock.Get("renew"));
  const int not_ours = flags == LIBRADOS_LOCK_FLAG_MUST_RENEW ? -ENOENT : -EBUSY;
  return RunUnless(-EBUSY, args, call("rados_lock_exclusive", handle_->subject().with_object(object)),
                   [pool = handle_, object, name, cookie, description, ms, flags, not_ours] {
                     timeval duration{static_cast<time_t>(ms / 1000), static_cast<suseconds_t>(ms % 1000 * 1000)};
                     const int code = rados_lock_exclusive(pool->io, object.c_str(), name.c_str(), cookie.c_str(),
                                                           description.c_str(), &duration, flags);
                     return code == not_ours ? -EBUSY : code;
                   });
}

// Implements:
//   int rados_unlock(rados_ioctx_t io, const char *o, const char *name, const char *cookie);
Napi::Value Pool::Unlock(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::string name = args.text(args.at(1), "name");
  const std::string cookie = args.text(args.at(2), "cookie", true);
  return RunUnless(-ENOENT, args, call("rados_unlock", handle_->subject().with_object(object)), [=, pool = handle_] {
    return rados_unlock(pool->io, object.c_str(), name.c_str(), cookie.c_str());
  });
}

Napi::Value Pool::ListLockers(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::string name = args.text(args.at(1), "name");
  return Ask<LockInfo>(
      args, call("rados_list_lockers", handle_->subject().with_object(object)),
      [pool = handle_, object, name](LockInfo& found) { return List(*pool, object, name, found); },
      [](Napi::Env env, LockInfo& found) { return ToObject(env, found); });
}

// Implements:
//   int rados_break_lock(rados_ioctx_t io, const char *o, const char *name, const char *client, const char *cookie);
Napi::Value Pool::BreakLock(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::string name = args.text(args.at(1), "name");
  const std::string client = args.text(args.at(2), "client");
  const std::string cookie = args.text(args.at(3), "cookie", true);
  return RunUnless(-ENOENT, args, call("rados_break_lock", handle_->subject().with_object(object)),
                   [=, pool = handle_] {
                     return rados_break_lock(pool->io, object.c_str(), name.c_str(), client.c_str(), cookie.c_str());
                   });
}

}  // namespace cellar
