#include "image.hpp"

namespace cellar {

// Implements:
//   int rbd_snap_create(rbd_image_t image, const char *snapname);
Napi::Value Image::CreateSnapshot(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Run(args, call_on_snapshot("rbd_snap_create", name),
             [image = handle_, name] { return rbd_snap_create(image->image, name.c_str()); });
}

// Implements:
//   int rbd_snap_protect(rbd_image_t image, const char *snap_name);
Napi::Value Image::ProtectSnapshot(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Run(args, call_on_snapshot("rbd_snap_protect", name),
             [image = handle_, name] { return rbd_snap_protect(image->image, name.c_str()); });
}

// Implements:
//   int rbd_snap_unprotect(rbd_image_t image, const char *snap_name);
Napi::Value Image::UnprotectSnapshot(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Run(args, call_on_snapshot("rbd_snap_unprotect", name),
             [image = handle_, name] { return rbd_snap_unprotect(image->image, name.c_str()); });
}

// Implements:
//   int rbd_snap_is_protected(rbd_image_t image, const char *snap_name, int *is_protected);
Napi::Value Image::IsSnapshotProtected(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Ask<int>(
      args, call_on_snapshot("rbd_snap_is_protected", name),
      [image = handle_, name](int& is_protected) -> Status {
        return {"rbd_snap_is_protected", rbd_snap_is_protected(image->image, name.c_str(), &is_protected)};
      },
      [](Napi::Env env, int is_protected) -> Napi::Value { return Napi::Boolean::New(env, is_protected != 0); });
}

// Implements:
//   int rbd_snap_remove2(rbd_image_t image, const char *snap_name, uint32_t flags, librbd_progress_fn_t cb,
//                        void *cbdata);
Napi::Value Image::RemoveSnapshot(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string name = args.text(args.at(0), "name");
  return Run(args, call_on_snapshot("rbd_snap_remove2", name), [image = handle_, name] {
    const auto no_progress = [](std::uint64_t, std::uint64_t, void*) { return 0; };
    return rbd_snap_remove2(image->image, name.c_str(), 0, no_progress, nullptr);
  });
}

// Implements:
//   int rbd_snap_list(rbd_image_t image, rbd_snap_info_t *snaps, int *max_snaps);
//   void rbd_snap_list_end(rbd_snap_info_t *snaps);
//   int rbd_snap_get_namespace_type(rbd_image_t image, uint64_t snap_id, rbd_snap_namespace_type_t *namespace_type);
Napi::Value Image::ListSnapshots(const Napi::CallbackInfo& info) {
  struct Snapshot {
    std::uint64_t id;
    std::string name;
    std::uint64_t size;
  };
  using Snapshots = std::vector<Snapshot>;
  Args args(info);
  return Ask<Snapshots>(
      args, call("rbd_snap_list"),
      [image = handle_](Snapshots& snapshots) -> Status {
        std::vector<rbd_snap_info_t> infos;
        const int count = Growing(infos, 16, [&](rbd_snap_info_t* data, std::size_t* size) {
          int max = static_cast<int>(*size);
          const int code = rbd_snap_list(image->image, data, &max);
          // One element more than there are snapshots: rbd_snap_list_end looks for the end mark.
          *size = static_cast<std::size_t>(code < 0 ? max : code + 1);
          return code;
        });
        if (count < 0) return {"rbd_snap_list", count};
        Status status{"rbd_snap_list"};
        for (int i = 0; i < count && !status.failed(); ++i) {
          rbd_snap_namespace_type_t type = RBD_SNAP_NAMESPACE_TYPE_USER;
          const int code = rbd_snap_get_namespace_type(image->image, infos[i].id, &type);
          if (code < 0 && code != -ENOENT) status = {"rbd_snap_get_namespace_type", code};
          if (code < 0 || type != RBD_SNAP_NAMESPACE_TYPE_USER) continue;
          status = Exact("rbd_snap_list", infos[i].size);
          snapshots.push_back({infos[i].id, infos[i].name, infos[i].size});
        }
        rbd_snap_list_end(infos.data());
        return status;
      },
      [](Napi::Env env, Snapshots& snapshots) -> Napi::Value {
        auto array = Napi::Array::New(env, snapshots.size());
        for (std::uint32_t i = 0; i < snapshots.size(); ++i) {
          auto object = Napi::Object::New(env);
          object.Set("id", static_cast<double>(snapshots[i].id));
          object.Set("name", snapshots[i].name);
          object.Set("size", static_cast<double>(snapshots[i].size));
          array.Set(i, object);
        }
        return array;
      });
}

}  // namespace cellar
