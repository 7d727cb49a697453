#pragma once

#include <napi.h>

#include "cluster.hpp"
#include "library.hpp"
#include "work.hpp"

namespace cellar {

// A pool, and a namespace in it: a rados_ioctx_t, null until it is open and again after its release. It is destroyed then,
// or with the last notify that librados still has.
class PoolHandle : public Handle {
 public:
  PoolHandle(std::shared_ptr<Environment> environment, std::shared_ptr<ClusterHandle> parent)
      : Handle(std::move(environment), parent), cluster(parent) {}

  const std::shared_ptr<ClusterHandle> cluster;
  rados_ioctx_t io = nullptr;
  std::shared_ptr<void> context;  // owns `io`
  std::string name;
  std::string pool_namespace;
  std::int64_t id = -1;

  Subject subject() const { return {name, pool_namespace}; }

 private:
  void release(Done done) override;
};

// NativePool of src/rbd/native.ts.
class Pool : public Napi::ObjectWrap<Pool> {
 public:
  static Napi::Function Class(Napi::Env env);
  static Napi::Value Open(const Napi::CallbackInfo& info, const std::shared_ptr<ClusterHandle>& cluster);
  // JS thread. The handle of an argument that is a NativePool of this environment.
  static std::shared_ptr<PoolHandle> Given(Args& args, Napi::Value value, const char* name);

  explicit Pool(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  // pool.cpp
  Napi::Value Close(const Napi::CallbackInfo& info);

  // directory.cpp
  Napi::Value CreateImage(const Napi::CallbackInfo& info);
  Napi::Value OpenImage(const Napi::CallbackInfo& info);
  Napi::Value RemoveImage(const Napi::CallbackInfo& info);
  Napi::Value ListImages(const Napi::CallbackInfo& info);

  // clone.cpp
  Napi::Value Clone(const Napi::CallbackInfo& info);

  // omap.cpp
  Napi::Value OmapGet(const Napi::CallbackInfo& info);
  Napi::Value OmapList(const Napi::CallbackInfo& info);
  Napi::Value OmapCompareAndSet(const Napi::CallbackInfo& info);
  Napi::Value CreateExclusive(const Napi::CallbackInfo& info);

  // object.cpp
  Napi::Value StatObject(const Napi::CallbackInfo& info);
  Napi::Value RemoveObject(const Napi::CallbackInfo& info);
  Napi::Value ListObjects(const Napi::CallbackInfo& info);

  // lock.cpp
  Napi::Value LockExclusive(const Napi::CallbackInfo& info);
  Napi::Value Unlock(const Napi::CallbackInfo& info);
  Napi::Value ListLockers(const Napi::CallbackInfo& info);
  Napi::Value BreakLock(const Napi::CallbackInfo& info);

  // watch.cpp
  Napi::Value Watch(const Napi::CallbackInfo& info);

  // notify.cpp
  Napi::Value Notify(const Napi::CallbackInfo& info);

  // class_call.cpp
  Napi::Value RemoveLocked(const Napi::CallbackInfo& info);
  Napi::Value Exec(const Napi::CallbackInfo& info);

  Call call(const char* name, Subject subject) const { return {name, std::move(subject), {handle_}}; }

  std::shared_ptr<PoolHandle> handle_;
};

}  // namespace cellar
