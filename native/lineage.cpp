#include "image.hpp"

// Where an image's data comes from, and who depends on it.

namespace cellar {
namespace {

struct Relative {
  std::string pool;
  std::string pool_namespace;
  std::string image;
  std::string image_id;
  bool trash;
  std::string snapshot{};
  std::uint64_t snapshot_id = 0;
};

std::string OrEmpty(const char* text) { return text == nullptr ? "" : text; }

Relative Copy(const rbd_linked_image_spec_t& spec) {
  return {OrEmpty(spec.pool_name), OrEmpty(spec.pool_namespace), OrEmpty(spec.image_name), OrEmpty(spec.image_id),
          spec.trash};
}

Napi::Object ToObject(Napi::Env env, const Relative& relative) {
  auto object = Napi::Object::New(env);
  object.Set("pool", relative.pool);
  object.Set("namespace", relative.pool_namespace);
  object.Set("image", relative.image);
  object.Set("imageId", relative.image_id);
  object.Set("trash", relative.trash);
  return object;
}

}  // namespace

// Implements:
//   int rbd_get_parent(rbd_image_t image, rbd_linked_image_spec_t *parent_image, rbd_snap_spec_t *parent_snap);
//   void rbd_linked_image_spec_cleanup(rbd_linked_image_spec_t *image);
//   void rbd_snap_spec_cleanup(rbd_snap_spec_t *snap);
Napi::Value Image::Parent(const Napi::CallbackInfo& info) {
  using Found = std::unique_ptr<Relative>;
  Args args(info);
  return Ask<Found>(
      args, call("rbd_get_parent"),
      [image = handle_](Found& parent) -> Status {
        rbd_linked_image_spec_t spec{};
        rbd_snap_spec_t snapshot{};
        const int code = rbd_get_parent(image->image, &spec, &snapshot);
        if (code < 0) return {"rbd_get_parent", code == -ENOENT ? 0 : code};
        parent = std::make_unique<Relative>(Copy(spec));
        parent->snapshot = OrEmpty(snapshot.name);
        parent->snapshot_id = snapshot.id;
        rbd_linked_image_spec_cleanup(&spec);
        rbd_snap_spec_cleanup(&snapshot);
        return {"rbd_get_parent"};
      },
      [](Napi::Env env, Found& parent) -> Napi::Value {
        if (!parent) return env.Undefined();
        auto object = ToObject(env, *parent);
        object.Set("snapshot", parent->snapshot);
        object.Set("snapshotId", static_cast<double>(parent->snapshot_id));
        return object;
      });
}

// Implements:
//   int rbd_list_children3(rbd_image_t image, rbd_linked_image_spec_t *images, size_t *max_images);
//   void rbd_linked_image_spec_list_cleanup(rbd_linked_image_spec_t *images, size_t num_images);
Napi::Value Image::Children(const Napi::CallbackInfo& info) {
  using Found = std::vector<Relative>;
  Args args(info);
  return Ask<Found>(
      args, call("rbd_list_children3"),
      [image = handle_](Found& children) -> Status {
        std::vector<rbd_linked_image_spec_t> specs;
        const int code = Growing(specs, 64, [&](rbd_linked_image_spec_t* data, std::size_t* size) {
          return rbd_list_children3(image->image, data, size);
        });
        if (code < 0) return {"rbd_list_children3", code};
        for (const auto& spec : specs) children.push_back(Copy(spec));
        rbd_linked_image_spec_list_cleanup(specs.data(), specs.size());
        return {"rbd_list_children3"};
      },
      [](Napi::Env env, Found& children) -> Napi::Value {
        auto array = Napi::Array::New(env, children.size());
        for (std::uint32_t i = 0; i < children.size(); ++i) array.Set(i, ToObject(env, children[i]));
        return array;
      });
}

// Without the parent's data and in whole objects, so that the object map alone can answer where the image has one. The
// first extent that exists ends it.
//
// Implements:
//   int rbd_diff_iterate2(rbd_image_t image, const char *fromsnapname, uint64_t ofs, uint64_t len,
//                         uint8_t include_parent, uint8_t whole_object,
//                         int (*cb)(uint64_t, size_t, int, void *), void *arg);
Napi::Value Image::HasOwnData(const Napi::CallbackInfo& info) {
  Args args(info);
  return Ask<bool>(
      args, call("rbd_diff_iterate2"),
      [image = handle_](bool& found) -> Status {
        Status status = image->refresh_size();
        if (status.failed() || image->size == 0) return status;
        const auto stop_at_data = [](std::uint64_t, std::size_t, int exists, void* data) {
          if (exists == 0) return 0;
          *static_cast<bool*>(data) = true;
          return -ECANCELED;
        };
        const int code = rbd_diff_iterate2(image->image, nullptr, 0, image->size, 0, 1, stop_at_data, &found);
        return {"rbd_diff_iterate2", found ? 0 : code};
      },
      [](Napi::Env env, bool found) -> Napi::Value { return Napi::Boolean::New(env, found); });
}

// Implements:
//   int rbd_watchers_list(rbd_image_t image, rbd_image_watcher_t *watchers, size_t *max_watchers);
//   void rbd_watchers_list_cleanup(rbd_image_watcher_t *watchers, size_t num_watchers);
Napi::Value Image::Watchers(const Napi::CallbackInfo& info) {
  struct Watcher {
    std::string address;
    std::int64_t client;
    std::uint64_t cookie;
  };
  using Found = std::vector<Watcher>;
  Args args(info);
  return Ask<Found>(
      args, call("rbd_watchers_list"),
      [image = handle_](Found& found) -> Status {
        std::vector<rbd_image_watcher_t> watchers;
        const int code = Growing(watchers, 8, [&](rbd_image_watcher_t* data, std::size_t* size) {
          return rbd_watchers_list(image->image, data, size);
        });
        if (code < 0) return {"rbd_watchers_list", code};
        for (const auto& watcher : watchers) found.push_back({OrEmpty(watcher.addr), watcher.id, watcher.cookie});
        rbd_watchers_list_cleanup(watchers.data(), watchers.size());
        return {"rbd_watchers_list"};
      },
      [](Napi::Env env, Found& found) -> Napi::Value {
        auto array = Napi::Array::New(env, found.size());
        for (std::uint32_t i = 0; i < found.size(); ++i) {
          auto object = Napi::Object::New(env);
          object.Set("address", found[i].address);
          object.Set("client", static_cast<double>(found[i].client));
          object.Set("cookie", static_cast<double>(found[i].cookie));
          array.Set(i, object);
        }
        return array;
      });
}

// Implements:
//   int rbd_flatten(rbd_image_t image);
Napi::Value Image::Flatten(const Napi::CallbackInfo& info) {
  Args args(info);
  return Run(args, call("rbd_flatten"), [image = handle_] { return rbd_flatten(image->image); });
}

}  // namespace cellar
