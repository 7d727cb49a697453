#include "image.hpp"
#include "image_options.hpp"
#include "pool.hpp"
#include "wrap.hpp"

// The images of a pool: create, open, remove, list.

namespace cellar {

// Implements:
//   int rbd_create4(rados_ioctx_t io, const char *name, uint64_t size, rbd_image_options_t opts);
Napi::Value Pool::CreateImage(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  Napi::Object given = args.options(1, "options");
  const std::uint64_t size = args.number(given.Get("size"), "size");
  const auto options = ImageOptions::Read(args, given);
  return Run(args, call("rbd_create4", handle_->subject().with_image(name)), [pool = handle_, name, size, options] {
    return options.apply([&](rbd_image_options_t opts) { return rbd_create4(pool->io, name.c_str(), size, opts); });
  });
}

Napi::Value Pool::OpenImage(const Napi::CallbackInfo& info) { return Image::Open(info, handle_); }

// Implements:
//   int rbd_remove(rados_ioctx_t io, const char *name);
Napi::Value Pool::RemoveImage(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Run(args, call("rbd_remove", handle_->subject().with_image(name)),
             [pool = handle_, name] { return rbd_remove(pool->io, name.c_str()); });
}

// Implements:
//   int rbd_list2(rados_ioctx_t io, rbd_image_spec_t *images, size_t *max_images);
//   void rbd_image_spec_list_cleanup(rbd_image_spec_t *images, size_t num_images);
Napi::Value Pool::ListImages(const Napi::CallbackInfo& info) {
  using Images = std::vector<std::pair<std::string, std::string>>;
  Args args(info);
  return Ask<Images>(
      args, call("rbd_list2", handle_->subject()),
      [pool = handle_](Images& images) -> Status {
        std::vector<rbd_image_spec_t> specs;
        const int code = Growing(specs, 128, [&](rbd_image_spec_t* data, std::size_t* size) {
          return rbd_list2(pool->io, data, size);
        });
        if (code < 0) return {"rbd_list2", code};
        for (const auto& spec : specs) images.emplace_back(spec.name, spec.id);
        rbd_image_spec_list_cleanup(specs.data(), specs.size());
        return {"rbd_list2"};
      },
      [](Napi::Env env, Images& images) -> Napi::Value {
        auto array = Napi::Array::New(env, images.size());
        for (std::uint32_t i = 0; i < images.size(); ++i) {
          auto image = Napi::Object::New(env);
          image.Set("name", images[i].first);
          image.Set("id", images[i].second);
          array.Set(i, image);
        }
        return array;
      });
}

}  // namespace cellar
