#include "pool.hpp"

#include <algorithm>

#include "wrap.hpp"

namespace cellar {
namespace {

// So that no other object with the same prototype is taken for a pool.
constexpr napi_type_tag kPoolTag = {0x63656c6c61722d70, 0x6f6f6c2d68616e64};

// One of the addon's threads. For a pool it does not know rados_ioctx_create waits for the newest map, and that without any
// deadline: so it is only asked about one that is known, or when the monitors have just answered.
//
// Implements:
//   int rados_ioctx_create(rados_t cluster, const char *pool_name, rados_ioctx_t *ioctx);
//   void rados_ioctx_destroy(rados_ioctx_t io);
int CreateContext(PoolHandle& pool) {
  std::vector<std::string> known;
  int code = pool.cluster->known_pools(known);
  if (code < 0) return code;
  if (std::find(known.begin(), known.end(), pool.name) == known.end()) {
    code = pool.cluster->reach_monitors();
    if (code == -ETIMEDOUT) return code;
  }
  code = rados_ioctx_create(pool.cluster->cluster, pool.name.c_str(), &pool.io);
  if (code == 0) pool.context = {pool.io, rados_ioctx_destroy};
  return code;
}

}  // namespace

template <>
Napi::FunctionReference& ClassOf<Pool>(Napi::Env env) {
  return Environment::Of(env).pool_class;
}

void PoolHandle::release(Done done) {
  io = nullptr;
  context.reset();
  done({"rados_ioctx_destroy"});
}

Napi::Function Pool::Class(Napi::Env env) {
  return DefineClass(env, "NativePool",
                     {
                         InstanceMethod<&Pool::CreateImage>("createImage"),
                         InstanceMethod<&Pool::OpenImage>("openImage"),
                         InstanceMethod<&Pool::RemoveImage>("removeImage"),
                         InstanceMethod<&Pool::ListImages>("listImages"),
                         InstanceMethod<&Pool::Clone>("clone"),
                         InstanceMethod<&Pool::OmapGet>("omapGet"),
                         InstanceMethod<&Pool::OmapList>("omapList"),
                         InstanceMethod<&Pool::OmapCompareAndSet>("omapCompareAndSet"),
                         InstanceMethod<&Pool::CreateExclusive>("createExclusive"),
                         InstanceMethod<&Pool::StatObject>("statObject"),
                         InstanceMethod<&Pool::RemoveObject>("removeObject"),
                         InstanceMethod<&Pool::ListObjects>("listObjects"),
                         InstanceMethod<&Pool::LockExclusive>("lockExclusive"),
                         InstanceMethod<&Pool::Unlock>("unlock"),
                         InstanceMethod<&Pool::ListLockers>("listLockers"),
                         InstanceMethod<&Pool::BreakLock>("breakLock"),
                         InstanceMethod<&Pool::RemoveLocked>("removeLocked"),
                         InstanceMethod<&Pool::Exec>("exec"),
                         InstanceMethod<&Pool::Watch>("watch"),
                         InstanceMethod<&Pool::Notify>("notify"),
                         InstanceMethod<&Pool::Close>("close"),
                     });
}

Pool::Pool(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Pool>(info), handle_(Unwrapped<PoolHandle>(info)) {
  if (!handle_) return;
  Napi::Env env = info.Env();
  auto self = info.This().As<Napi::Object>();
  self.TypeTag(&kPoolTag);
  self.DefineProperties({
      Napi::PropertyDescriptor::Value("name", Napi::String::New(env, handle_->name), napi_enumerable),
      Napi::PropertyDescriptor::Value("id", Napi::Number::New(env, static_cast<double>(handle_->id)), napi_enumerable),
  });
}

std::shared_ptr<PoolHandle> Pool::Given(Args& args, Napi::Value value, const char* name) {
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kPoolTag)) {
    return Unwrap(value.As<Napi::Object>())->handle_;
  }
  args.refuse_type(std::string(name) + " must be a pool");
  return nullptr;
}

// With `full_try` a full pool or cluster answers EDQUOT or ENOSPC; without it writes, and even opening an image, wait for
// ever or until the deadline.
//
// Implements:
//   void rados_set_pool_full_try(rados_ioctx_t io);
//   void rados_ioctx_set_namespace(rados_ioctx_t io, const char *nspace);
//   int64_t rados_ioctx_get_id(rados_ioctx_t io);
Napi::Value Pool::Open(const Napi::CallbackInfo& info, const std::shared_ptr<ClusterHandle>& cluster) {
  Args args(info);
  auto pool = std::make_shared<PoolHandle>(Environment::Of(info.Env()).shared_from_this(), cluster);
  pool->name = args.text(args.at(0), "name");
  pool->pool_namespace = args.at(1).IsUndefined() ? "" : args.text(args.at(1), "namespace", true);
  return OpenHandle<Pool>(args, {"rados_ioctx_create", pool->subject(), {pool}}, pool, [pool]() -> Status {
    const int code = CreateContext(*pool);
    if (code < 0) return {"rados_ioctx_create", code};
    rados_set_pool_full_try(pool->io);
    rados_ioctx_set_namespace(pool->io, pool->pool_namespace.c_str());
    pool->id = rados_ioctx_get_id(pool->io);
    return {"rados_ioctx_create"};
  });
}

Napi::Value Pool::Close(const Napi::CallbackInfo& info) {
  return cellar::Close(info.Env(), handle_->subject(), *handle_);
}

}  // namespace cellar
