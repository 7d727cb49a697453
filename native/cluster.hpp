#pragma once

#include <napi.h>

#include "library.hpp"
#include "notifies.hpp"
#include "work.hpp"

namespace cellar {

// One connection: a rados_t, null until it is connected and again after its release.
class ClusterHandle : public Handle {
 public:
  using Handle::Handle;

  rados_t cluster = nullptr;
  // One of the addon's threads. The pools of the newest map that this connection has seen.
  //
  // Implements:
  //   int rados_pool_list(rados_t cluster, char *buf, size_t len);
  int known_pools(std::vector<std::string>& names);

  // One of the addon's threads. Asks the monitors for nothing much, with their deadline: ETIMEDOUT when they are silent.
  int reach_monitors();

  std::string fsid;
  std::string instance_id;
  std::vector<std::string> addresses;
  std::uint64_t osd_op_timeout_ms = 0;
  Notifies notifies;

  void give_up() override { notifies.give_up(); }

 private:
  void release(Done done) override;
};

// NativeCluster of src/rbd/native.ts.
class Cluster : public Napi::ObjectWrap<Cluster> {
 public:
  static Napi::Function Class(Napi::Env env);
  static Napi::Value Connect(const Napi::CallbackInfo& info);

  explicit Cluster(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  Napi::Value OpenPool(const Napi::CallbackInfo& info);
  Napi::Value MonCommand(const Napi::CallbackInfo& info);
  Napi::Value ListPools(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  std::shared_ptr<ClusterHandle> handle_;
};

}  // namespace cellar
