#include <napi.h>

#include "cluster.hpp"
#include "environment.hpp"
#include "exit.hpp"
#include "file_lock.hpp"
#include "hasher.hpp"
#include "image.hpp"
#include "ping.hpp"
#include "pool.hpp"
#include "read_back.hpp"
#include "watch.hpp"
#include "writer.hpp"

namespace cellar {
namespace {

std::string Version(void (*ask)(int*, int*, int*)) {
  int major = 0;
  int minor = 0;
  int extra = 0;
  ask(&major, &minor, &extra);
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(extra);
}

// Implements:
//   void rbd_version(int *major, int *minor, int *extra);
//   void rados_version(int *major, int *minor, int *extra);
Napi::Value Versions(const Napi::CallbackInfo& info) {
  auto object = Napi::Object::New(info.Env());
  object.Set("librbd", Version(rbd_version));
  object.Set("librados", Version(rados_version));
  return object;
}

Napi::Value Counters(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  const Threads::Counters counters = environment.threads.counters();
  auto object = Napi::Object::New(info.Env());
  object.Set("queued", static_cast<double>(counters.queued));
  object.Set("running", static_cast<double>(counters.running));
  object.Set("inFlight", static_cast<double>(environment.in_flight.load()));
  return object;
}

// The one thing src/rbd/binding.ts does before anything else: which class failures are instances of.
Napi::Value SetErrorClass(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
  Environment::Of(info.Env()).error_class.SuppressDestruct();
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  static std::once_flag once;
  std::call_once(once, GuardExit);
  Environment::Install(env);
  Environment& environment = Environment::Of(env);
  const auto keep = [](Napi::FunctionReference& reference, Napi::Function value) {
    reference = Napi::Persistent(value);
    reference.SuppressDestruct();
  };
  keep(environment.cluster_class, Cluster::Class(env));
  keep(environment.pool_class, Pool::Class(env));
  keep(environment.image_class, Image::Class(env));
  keep(environment.writer_class, Writer::Class(env));
  keep(environment.watch_class, Watch::Class(env));
  keep(environment.hasher_class, Hasher::Class(env));
  keep(environment.read_back_class, ReadBack::Class(env));
  exports.Set("connect", Napi::Function::New<Cluster::Connect>(env, "connect"));
  exports.Set("hasher", Napi::Function::New<Hasher::Make>(env, "hasher"));
  exports.Set("versions", Napi::Function::New<Versions>(env, "versions"));
  exports.Set("counters", Napi::Function::New<Counters>(env, "counters"));
  exports.Set("tryLeaseFile", Napi::Function::New<TryLeaseFile>(env, "tryLeaseFile"));
  exports.Set("tryLockFile", Napi::Function::New<TryLockFile>(env, "tryLockFile"));
  exports.Set("endOfProcess", Napi::Function::New<EndOfProcess>(env, "endOfProcess"));
  exports.Set("ping", Napi::Function::New<Ping>(env, "ping"));
  exports.Set("threadLimit", static_cast<double>(Threads::kLimit));
  exports.Set("setErrorClass", Napi::Function::New<SetErrorClass>(env, "setErrorClass"));
  return exports;
}

}  // namespace
}  // namespace cellar

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return cellar::Init(env, exports); }
NODE_API_MODULE(rbd, Init)
