#include "pool.hpp"

// Plain RADOS objects of a pool.

namespace cellar {

// Whole seconds: rados_stat2, which has more, is newer than Ceph 16.
//
// Implements:
//   int rados_stat(rados_ioctx_t io, const char *o, uint64_t *psize, time_t *pmtime);
Napi::Value Pool::StatObject(const Napi::CallbackInfo& info) {
  struct Stat {
    bool exists = false;
    std::uint64_t size = 0;
    std::time_t mtime = 0;
  };
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  return Ask<Stat>(
      args, call("rados_stat", handle_->subject().with_object(object)),
      [pool = handle_, object](Stat& stat) -> Status {
        const int code = rados_stat(pool->io, object.c_str(), &stat.size, &stat.mtime);
        stat.exists = code != -ENOENT;
        if (stat.exists && code < 0) return {"rados_stat", code};
        return Exact("rados_stat", stat.size);
      },
      [](Napi::Env env, Stat& stat) -> Napi::Value {
        if (!stat.exists) return env.Undefined();
        auto object = Napi::Object::New(env);
        object.Set("size", static_cast<double>(stat.size));
        object.Set("mtimeMs", static_cast<double>(stat.mtime) * 1000);
        return object;
      });
}

// Implements:
//   int rados_remove(rados_ioctx_t io, const char *o);
Napi::Value Pool::RemoveObject(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  return RunUnless(-ENOENT, args, call("rados_remove", handle_->subject().with_object(object)),
                   [pool = handle_, object] { return rados_remove(pool->io, object.c_str()); });
}

// Implements:
//   int rados_nobjects_list_open(rados_ioctx_t io, rados_list_ctx_t *ctx);
//   int rados_nobjects_list_next2(rados_list_ctx_t ctx, const char **entry, const char **key, const char **nspace,
//                                 size_t *entry_size, size_t *key_size, size_t *nspace_size);
//   void rados_nobjects_list_close(rados_list_ctx_t ctx);
Napi::Value Pool::ListObjects(const Napi::CallbackInfo& info) {
  using Names = std::vector<std::string>;
  Args args(info);
  const std::string prefix = args.text(args.at(0), "prefix", true);
  return Ask<Names>(
      args, call("rados_nobjects_list_next2", handle_->subject()),
      [pool = handle_, prefix](Names& names) -> Status {
        rados_list_ctx_t list = nullptr;
        int code = rados_nobjects_list_open(pool->io, &list);
        if (code < 0) return {"rados_nobjects_list_open", code};
        const char* entry = nullptr;
        std::size_t length = 0;
        while ((code = rados_nobjects_list_next2(list, &entry, nullptr, nullptr, &length, nullptr, nullptr)) == 0) {
          std::string name(entry, length);
          if (name.starts_with(prefix)) names.push_back(std::move(name));
        }
        rados_nobjects_list_close(list);
        return {"rados_nobjects_list_next2", code == -ENOENT ? 0 : code};  // ENOENT is the end
      },
      [](Napi::Env env, Names& names) -> Napi::Value {
        auto array = Napi::Array::New(env, names.size());
        for (std::uint32_t i = 0; i < names.size(); ++i) array.Set(i, names[i]);
        return array;
      });
}

}  // namespace cellar
