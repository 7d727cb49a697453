#include "writer.hpp"

#include "wrap.hpp"

namespace cellar {
namespace {

// What librbd takes for an object, and a bound on what the options can make this process allocate.
constexpr std::size_t kSmallestObject = 4096;
constexpr std::size_t kLargestObject = 32 * 1024 * 1024;
constexpr std::size_t kMostInFlight = 1024;

WriterLimits ReadLimits(Args& args, Napi::Object options) {
  const WriterLimits limits{args.number(options.Get("objectSize"), "objectSize"),
                            args.number(options.Get("inFlight"), "inFlight"),
                            args.number(options.Get("granule"), "granule")};
  const std::size_t object = limits.object_size;
  if (object < kSmallestObject || object > kLargestObject || (object & (object - 1)) != 0) {
    args.refuse(-EINVAL, "objectSize must be a power of two from 4096 to 2^25");
  }
  if (limits.granule == 0 || object % limits.granule != 0) args.refuse(-EINVAL, "granule must divide objectSize");
  if (limits.in_flight == 0 || limits.in_flight > kMostInFlight) args.refuse(-EINVAL, "inFlight must be from 1 to 1024");
  return limits;
}

// sha512 always: it is what a copy is known by.
Digests ReadDigests(Args& args, Napi::Value names) {
  Digests digests;
  auto wanted = names.IsUndefined() ? std::vector<std::string>() : args.texts(names, "digests");
  wanted.emplace_back("sha512");
  for (const std::string& name : wanted) {
    if (!digests.add(name)) args.refuse(-EINVAL, "there is no digest " + name);
  }
  return digests;
}

}  // namespace

template <>
Napi::FunctionReference& ClassOf<Writer>(Napi::Env env) {
  return Environment::Of(env).writer_class;
}

Napi::Function Writer::Class(Napi::Env env) {
  return DefineClass(env, "NativeWriter",
                     {
                         InstanceMethod<&Writer::Append>("append"),
                         InstanceMethod<&Writer::Finish>("finish"),
                         InstanceMethod<&Writer::Close>("close"),
                     });
}

Writer::Writer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Writer>(info), handle_(Unwrapped<WriterHandle>(info)) {}

Napi::Value Image::MakeWriter(const Napi::CallbackInfo& info) {
  Args args(info);
  Napi::Object options = args.options(0, "options");
  const WriterLimits limits = ReadLimits(args, options);
  Digests digests = ReadDigests(args, options.Get("digests"));
  auto writer = std::make_shared<WriterHandle>(Environment::Of(args.env()).shared_from_this(), handle_, limits, std::move(digests));
  if (!args.refused() && !writer->attach()) args.refuse(-EBADF, "");
  if (args.refused()) return args.raise("rbd_aio_write", handle_->subject());
  return Wrap<Writer>(args.env(), writer);
}

// What reaches beyond the end is refused before any of it is taken: librbd would cut it and call it a success.
Napi::Value Writer::Append(const Napi::CallbackInfo& info) {
  Args args(info);
  const Bytes chunk = args.bytes(args.at(0), "chunk");
  const std::uint64_t size = handle_->image->size;
  if (handle_->finished) args.refuse(-EINVAL, "after finish()");
  if (chunk.length > size - std::min(size, handle_->promised)) {
    args.refuse(-EINVAL, "reaches beyond the end at " + std::to_string(size));
  }
  Napi::Value rejection;
  auto prepared = Prepare(args, call(), &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  operation->buffer = Napi::Persistent(args.at(0).As<Napi::Object>());
  operation->environment->started();
  handle_->promised += chunk.length;
  handle_->append(operation, chunk);
  return promise;
}

Napi::Value Writer::Finish(const Napi::CallbackInfo& info) {
  Args args(info);
  if (handle_->finished) args.refuse(-EINVAL, "after finish()");
  Napi::Value rejection;
  auto prepared = Prepare(args, call(), &rejection);
  if (!prepared) return rejection;

  Operation* operation = prepared.release();
  Napi::Value promise = operation->deferred.Promise();
  auto written = std::make_shared<Written>();
  operation->answer = [written](Napi::Env env) -> Napi::Value {
    auto digests = Napi::Object::New(env);
    for (const auto& [name, digest] : written->digests) digests.Set(name, digest);
    auto object = Napi::Object::New(env);
    object.Set("received", static_cast<double>(written->received));
    object.Set("written", static_cast<double>(written->bytes));
    object.Set("digests", digests);
    return object;
  };
  operation->environment->started();
  handle_->finished = true;
  handle_->finish(operation, std::move(written));
  return promise;
}

Napi::Value Writer::Close(const Napi::CallbackInfo& info) {
  return cellar::Close(info.Env(), handle_->image->subject(), *handle_);
}

}  // namespace cellar
