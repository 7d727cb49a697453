#include "hasher.hpp"

#include "wrap.hpp"

namespace cellar {

template <>
Napi::FunctionReference& ClassOf<Hasher>(Napi::Env env) {
  return Environment::Of(env).hasher_class;
}

Napi::Function Hasher::Class(Napi::Env env) {
  return DefineClass(env, "NativeHasher",
                     {
                         InstanceMethod<&Hasher::Update>("update"),
                         InstanceMethod<&Hasher::Finish>("finish"),
                         InstanceMethod<&Hasher::Close>("close"),
                     });
}

Hasher::Hasher(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Hasher>(info), handle_(Unwrapped<HasherHandle>(info)) {}

Napi::Value Hasher::Make(const Napi::CallbackInfo& info) {
  static constexpr const char* kCall = "EVP_DigestInit_ex";
  Args args(info);
  const auto names = args.texts(args.at(0), "digests");
  Digests digests;
  if (!args.refused() && names.empty()) args.refuse(-EINVAL, "no digest is wanted");
  for (const std::string& name : names) {
    if (!digests.add(name)) args.refuse(-EINVAL, "there is no digest " + name);
  }
  auto hasher = std::make_shared<HasherHandle>(Environment::Of(args.env()).shared_from_this(), std::move(digests));
  if (!args.refused() && !hasher->attach()) args.refuse(-EBADF, "");
  if (args.refused()) return args.raise(kCall, {});
  return Wrap<Hasher>(args.env(), hasher);
}

Napi::Value Hasher::Update(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes chunk = args.bytes(args.at(0), "chunk");
  if (handle_->finished) args.refuse(-EINVAL, "after finish()");
  Napi::Value rejection;
  auto prepared = Prepare(args, {"EVP_DigestUpdate", {}, {handle_}}, &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  operation->buffer = Napi::Persistent(args.at(0).As<Napi::Object>());
  operation->environment->started();
  handle_->update(operation, chunk);
  return promise;
}

Napi::Value Hasher::Finish(const Napi::CallbackInfo& info) {
  Args args(info);
  if (handle_->finished) args.refuse(-EINVAL, "after finish()");
  Napi::Value rejection;
  auto prepared = Prepare(args, {"EVP_DigestFinal_ex", {}, {handle_}}, &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  auto hashed = std::make_shared<HasherHandle::Hashed>();
  operation->answer = [hashed](Napi::Env env) -> Napi::Value {
    auto digests = Napi::Object::New(env);
    for (const auto& [name, digest] : *hashed) digests.Set(name, digest);
    return digests;
  };
  operation->environment->started();
  handle_->finished = true;
  handle_->finish(operation, std::move(hashed));
  return promise;
}

Napi::Value Hasher::Close(const Napi::CallbackInfo& info) { return cellar::Close(info.Env(), {}, *handle_); }

}  // namespace cellar
