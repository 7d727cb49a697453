#include "image_options.hpp"
#include "pool.hpp"

namespace cellar {

// A failure names the source; the destination is in the detail. Pools of two connections are refused with EXDEV: librbd
// would take one cluster's ids for the other's.
//
// Implements:
//   int rbd_clone3(rados_ioctx_t p_ioctx, const char *p_name, const char *p_snapname, rados_ioctx_t c_ioctx,
//                  const char *c_name, rbd_image_options_t c_opts);
Napi::Value Pool::Clone(const Napi::CallbackInfo& info) {
  struct Nothing {};
  Args args(info);
  const std::string image = args.text(args.at(0), "image");
  const std::string snapshot = args.text(args.at(1), "snapshot");
  const auto destination = Given(args, args.at(2), "destination");
  const std::string name = args.text(args.at(3), "name");
  const auto options = ImageOptions::Read(args, args.options(4, "options"));
  if (destination && destination->cluster != handle_->cluster) {
    args.refuse(-EXDEV, "the destination belongs to another connection");
  }

  const Subject source = handle_->subject().with_image(image).with_snapshot(snapshot);
  return Ask<Nothing>(
      args, {"rbd_clone3", source, {handle_, destination}},
      [pool = handle_, image, snapshot, destination, name, options](Nothing&) -> Status {
        const int code = options.apply([&](rbd_image_options_t opts) {
          return rbd_clone3(pool->io, image.c_str(), snapshot.c_str(), destination->io, name.c_str(), opts);
        });
        return {"rbd_clone3", code, "to " + destination->name + "/" + name};
      },
      [](Napi::Env env, Nothing&) { return env.Undefined(); });
}

}  // namespace cellar
