#include "image.hpp"

#include "wrap.hpp"

namespace cellar {

template <>
Napi::FunctionReference& ClassOf<Image>(Napi::Env env) {
  return Environment::Of(env).image_class;
}

// Asynchronous, because many images of a dead cluster are closed at teardown: they wait for its deadline together and not
// one after the other. The callback comes on librbd's thread.
//
// Implements:
//   int rbd_aio_close(rbd_image_t image, rbd_completion_t c);
void ImageHandle::release(Done done) {
  if (image == nullptr) return done({"rbd_aio_close"});
  auto* waiting = new Done(std::move(done));
  rbd_completion_t completion = nullptr;
  rbd_aio_create_completion(
      waiting,
      [](rbd_completion_t closed, void* data) {
        std::unique_ptr<Done> released(static_cast<Done*>(data));
        const auto code = static_cast<int>(rbd_aio_get_return_value(closed));
        rbd_aio_release(closed);
        (*released)({"rbd_aio_close", code});
      },
      &completion);
  const int code = rbd_aio_close(std::exchange(image, nullptr), completion);
  if (code < 0) {
    rbd_aio_release(completion);
    (*std::unique_ptr<Done>(waiting))({"rbd_aio_close", code});
  }
}

// Implements:
//   int rbd_get_size(rbd_image_t image, uint64_t *size);
Status ImageHandle::refresh_size() {
  std::uint64_t now = 0;
  const int code = rbd_get_size(image, &now);
  if (code == 0) size = now;
  return {"rbd_get_size", code};
}

Napi::Function Image::Class(Napi::Env env) {
  return DefineClass(env, "NativeImage",
                     {
                         InstanceMethod<&Image::Info>("info"),
                         InstanceMethod<&Image::Read>("read"),
                         InstanceMethod<&Image::Write>("write"),
                         InstanceMethod<&Image::WriteZeroes>("writeZeroes"),
                         InstanceMethod<&Image::Discard>("discard"),
                         InstanceMethod<&Image::Flush>("flush"),
                         InstanceMethod<&Image::MakeWriter>("writer"),
                         InstanceMethod<&Image::Resize>("resize"),
                         InstanceMethod<&Image::MakeReadBack>("readBack"),
                         InstanceMethod<&Image::CreateSnapshot>("createSnapshot"),
                         InstanceMethod<&Image::ProtectSnapshot>("protectSnapshot"),
                         InstanceMethod<&Image::UnprotectSnapshot>("unprotectSnapshot"),
                         InstanceMethod<&Image::IsSnapshotProtected>("isSnapshotProtected"),
                         InstanceMethod<&Image::RemoveSnapshot>("removeSnapshot"),
                         InstanceMethod<&Image::ListSnapshots>("listSnapshots"),
                         InstanceMethod<&Image::Parent>("parent"),
                         InstanceMethod<&Image::Children>("children"),
                         InstanceMethod<&Image::HasOwnData>("hasOwnData"),
                         InstanceMethod<&Image::Watchers>("watchers"),
                         InstanceMethod<&Image::Flatten>("flatten"),
                         InstanceMethod<&Image::Metadata>("metadata"),
                         InstanceMethod<&Image::Close>("close"),
                     });
}

Image::Image(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Image>(info), handle_(Unwrapped<ImageHandle>(info)) {
  if (!handle_) return;
  info.This().As<Napi::Object>().DefineProperty(
      Napi::PropertyDescriptor::Value("name", Napi::String::New(info.Env(), handle_->name), napi_enumerable));
}

// Implements:
//   int rbd_open(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);
//   int rbd_open_read_only(rados_ioctx_t io, const char *name, rbd_image_t *image, const char *snap_name);
Napi::Value Image::Open(const Napi::CallbackInfo& info, const std::shared_ptr<PoolHandle>& pool) {
  Args args(info);
  auto image = std::make_shared<ImageHandle>(Environment::Of(info.Env()).shared_from_this(), pool);
  image->name = args.text(args.at(0), "name");
  Napi::Object options = args.options(1, "options");
  image->snapshot = args.optional_text(options.Get("snapshot"), "snapshot").value_or("");
  const bool read_only = args.flag(options.Get("readOnly"), "readOnly") || !image->snapshot.empty();
  const char* name = read_only ? "rbd_open_read_only" : "rbd_open";
  return OpenHandle<Image>(args, {name, image->subject(), {image}}, image, [image, read_only, name]() -> Status {
    const char* snapshot = image->snapshot.empty() ? nullptr : image->snapshot.c_str();
    const int code = (read_only ? rbd_open_read_only : rbd_open)(image->pool->io, image->name.c_str(), &image->image, snapshot);
    if (code < 0) {
      image->image = nullptr;
      return {name, code};
    }
    return image->refresh_size();
  });
}

// Implements:
//   int rbd_stat(rbd_image_t image, rbd_image_info_t *info, size_t infosize);
//   int rbd_get_features(rbd_image_t image, uint64_t *features);
//   int rbd_get_id(rbd_image_t image, char *id, size_t id_len);
Napi::Value Image::Info(const Napi::CallbackInfo& info) {
  struct Answer {
    rbd_image_info_t stat{};
    std::uint64_t features = 0;
    std::vector<char> id;
  };
  Args args(info);
  return Ask<Answer>(
      args, call("rbd_stat"),
      [image = handle_](Answer& answer) -> Status {
        int code = rbd_stat(image->image, &answer.stat, sizeof answer.stat);
        if (code < 0) return {"rbd_stat", code};
        image->size = answer.stat.size;
        code = rbd_get_features(image->image, &answer.features);
        if (code < 0) return {"rbd_get_features", code};
        code = Growing(answer.id, 64, [&](char* data, std::size_t* size) {
          return rbd_get_id(image->image, data, *size);
        });
        if (code < 0) return {"rbd_get_id", code};
        return Exact("rbd_stat", answer.stat.size);
      },
      [](Napi::Env env, Answer& answer) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("size", static_cast<double>(answer.stat.size));
        object.Set("objectSize", static_cast<double>(answer.stat.obj_size));
        object.Set("order", answer.stat.order);
        object.Set("features", static_cast<double>(answer.features));
        object.Set("id", answer.id.data());
        return object;
      });
}

// librbd refuses to shrink too, but only after it has taken the lock.
//
// Implements:
//   int rbd_resize2(rbd_image_t image, uint64_t size, bool allow_shrink, librbd_progress_fn_t cb, void *cbdata);
Napi::Value Image::Resize(const Napi::CallbackInfo& info) {
  struct Nothing {};
  Args args(info);
  const std::uint64_t size = args.number(args.at(0), "size");
  const bool allow_shrink = args.flag(args.options(1, "options").Get("allowShrink"), "allowShrink");
  return Ask<Nothing>(
      args, call("rbd_resize2"),
      [image = handle_, size, allow_shrink](Nothing&) -> Status {
        Status status = image->refresh_size();
        if (status.failed()) return status;
        if (size < image->size && !allow_shrink) return {"rbd_resize2", -EINVAL, "would shrink the image"};
        const auto no_progress = [](std::uint64_t, std::uint64_t, void*) { return 0; };
        const int code = rbd_resize2(image->image, size, allow_shrink, no_progress, nullptr);
        return code < 0 ? Status{"rbd_resize2", code} : image->refresh_size();
      },
      [](Napi::Env env, Nothing&) { return env.Undefined(); });
}

Napi::Value Image::Close(const Napi::CallbackInfo& info) {
  return cellar::Close(info.Env(), handle_->subject(), *handle_);
}

}  // namespace cellar
