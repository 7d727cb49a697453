#pragma once

#include <napi.h>

#include <atomic>

#include "library.hpp"
#include "pool.hpp"
#include "work.hpp"

namespace cellar {

// An open image: a rbd_image_t, null until it is open and again after its release.
class ImageHandle : public Handle {
 public:
  ImageHandle(std::shared_ptr<Environment> environment, std::shared_ptr<PoolHandle> parent)
      : Handle(std::move(environment), parent), pool(parent) {}

  const std::shared_ptr<PoolHandle> pool;
  rbd_image_t image = nullptr;
  std::string name;
  std::string snapshot;
  // As librbd last told us: at open, after resize() and at info().
  std::atomic<std::uint64_t> size{0};

  Subject subject() const { return pool->subject().with_image(name).with_snapshot(snapshot); }

  // One of the addon's threads. Asks librbd for the size, and keeps it.
  Status refresh_size();

 private:
  void release(Done done) override;
};

// NativeImage of src/rbd/native.ts.
class Image : public Napi::ObjectWrap<Image> {
 public:
  static Napi::Function Class(Napi::Env env);
  static Napi::Value Open(const Napi::CallbackInfo& info, const std::shared_ptr<PoolHandle>& pool);

  explicit Image(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env) override {
    if (handle_) handle_->abandon();
  }

 private:
  // image.cpp
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value Resize(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  // io.cpp
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  Napi::Value WriteZeroes(const Napi::CallbackInfo& info);
  Napi::Value Discard(const Napi::CallbackInfo& info);
  Napi::Value Flush(const Napi::CallbackInfo& info);

  // writer.cpp
  Napi::Value MakeWriter(const Napi::CallbackInfo& info);

  // read_back.cpp
  Napi::Value MakeReadBack(const Napi::CallbackInfo& info);

  // snapshot.cpp
  Napi::Value CreateSnapshot(const Napi::CallbackInfo& info);
  Napi::Value ProtectSnapshot(const Napi::CallbackInfo& info);
  Napi::Value UnprotectSnapshot(const Napi::CallbackInfo& info);
  Napi::Value IsSnapshotProtected(const Napi::CallbackInfo& info);
  Napi::Value RemoveSnapshot(const Napi::CallbackInfo& info);
  Napi::Value ListSnapshots(const Napi::CallbackInfo& info);

  // lineage.cpp
  Napi::Value Parent(const Napi::CallbackInfo& info);
  Napi::Value Children(const Napi::CallbackInfo& info);
  Napi::Value HasOwnData(const Napi::CallbackInfo& info);
  Napi::Value Watchers(const Napi::CallbackInfo& info);
  Napi::Value Flatten(const Napi::CallbackInfo& info);

  // metadata.cpp
  Napi::Value Metadata(const Napi::CallbackInfo& info);

  Call call(const char* name) const { return {name, handle_->subject(), {handle_}}; }
  Call call_on_snapshot(const char* name, std::string snapshot) const {
    return {name, handle_->subject().with_snapshot(std::move(snapshot)), {handle_}};
  }

  std::shared_ptr<ImageHandle> handle_;
};

}  // namespace cellar
