#include "read_back.hpp"

#include "wrap.hpp"

namespace cellar {
namespace {

// A bound on what the options can make this process allocate.
constexpr std::size_t kSmallestPiece = 4096;
constexpr std::size_t kLargestPiece = 32 * 1024 * 1024;
constexpr std::size_t kMostInFlight = 1024;

ReadBackLimits ReadLimits(Args& args, Napi::Object options) {
  const ReadBackLimits limits{args.number(options.Get("pieceSize"), "pieceSize"),
                              args.number(options.Get("inFlight"), "inFlight"),
                              args.number(options.Get("granule"), "granule"), args.flag(options.Get("inPieces"), "inPieces")};
  const std::size_t piece = limits.piece_size;
  if (piece < kSmallestPiece || piece > kLargestPiece || (piece & (piece - 1)) != 0) {
    args.refuse(-EINVAL, "pieceSize must be a power of two from 4096 to 2^25");
  }
  if (limits.granule == 0 || piece % limits.granule != 0) args.refuse(-EINVAL, "granule must divide pieceSize");
  if (limits.in_flight == 0 || limits.in_flight > kMostInFlight) args.refuse(-EINVAL, "inFlight must be from 1 to 1024");
  return limits;
}

}  // namespace

template <>
Napi::FunctionReference& ClassOf<ReadBack>(Napi::Env env) {
  return Environment::Of(env).read_back_class;
}

Napi::Function ReadBack::Class(Napi::Env env) {
  return DefineClass(env, "NativeReadBack",
                     {
                         InstanceAccessor<&ReadBack::Position>("position", napi_enumerable),
                         InstanceMethod<&ReadBack::Cancel>("cancel"),
                     });
}

ReadBack::ReadBack(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ReadBack>(info), job_(Unwrapped<ReadBackJob>(info)) {}

Napi::Value Image::MakeReadBack(const Napi::CallbackInfo& info) {
  Args args(info);
  const ReadBackLimits limits = ReadLimits(args, args.options(0, "options"));
  Digests digests;
  if (!digests.add("sha512")) args.refuse(-EINVAL, "there is no digest sha512");
  Use use;
  if (!args.refused()) {
    use = Use::of(handle_);
    if (!use) args.refuse(-EBADF, "");
  }
  if (args.refused()) return args.raise("rbd_aio_read", handle_->subject());

  auto* operation = new Operation(args.env(), handle_->subject());
  operation->uses.push_back(std::move(use));
  auto result = std::make_shared<ReadBackResult>();
  operation->answer = [result](Napi::Env env) -> Napi::Value {
    auto object = Napi::Object::New(env);
    object.Set("digest", result->digest);
    object.Set("size", static_cast<double>(result->size));
    object.Set("stored", static_cast<double>(result->stored));
    return object;
  };
  Napi::Value promise = operation->deferred.Promise();
  operation->environment->started();
  auto job = std::make_shared<ReadBackJob>(handle_, limits, std::move(digests), operation, std::move(result));
  auto object = Wrap<ReadBack>(args.env(), job).As<Napi::Object>();
  object.DefineProperty(Napi::PropertyDescriptor::Value("result", promise, napi_enumerable));
  job->start();
  return object;
}

Napi::Value ReadBack::Position(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(job_->position()));
}

Napi::Value ReadBack::Cancel(const Napi::CallbackInfo& info) {
  job_->cancel();
  return info.Env().Undefined();
}

}  // namespace cellar
