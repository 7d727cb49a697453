#include <map>

#include "pool.hpp"

// Key and value pairs of an object, read in pages and changed by one atomic operation.

namespace cellar {
namespace {

using Entries = std::map<std::string, std::string>;

// A list of strings as the C API takes it.
struct Pointers {
  std::vector<const char*> data;
  std::vector<std::size_t> lengths;

  void add(const std::string& text) {
    data.push_back(text.data());
    lengths.push_back(text.size());
  }
};

// Any thread. Takes the entries out of `iterator`, if the read went well, and ends it: there is one since it was asked for.
//
// Implements:
//   int rados_omap_get_next2(rados_omap_iter_t iter, char **key, char **val, size_t *key_len, size_t *val_len);
//   void rados_omap_get_end(rados_omap_iter_t iter);
void Drain(rados_omap_iter_t iterator, int code, Entries& entries) {
  char* key = nullptr;
  char* value = nullptr;
  std::size_t key_length = 0;
  std::size_t value_length = 0;
  while (code == 0 && rados_omap_get_next2(iterator, &key, &value, &key_length, &value_length) == 0 && key != nullptr) {
    entries[std::string(key, key_length)] = std::string(value, value_length);
  }
  rados_omap_get_end(iterator);
}

// One of the addon's threads. `add(op, &iterator, &code)` puts one omap read into the operation. A missing object has no
// entries.
//
// Implements:
//   rados_read_op_t rados_create_read_op(void);
//   int rados_read_op_operate(rados_read_op_t read_op, rados_ioctx_t io, const char *oid, int flags);
//   void rados_release_read_op(rados_read_op_t read_op);
template <typename Add>
Status ReadOmap(const PoolHandle& pool, const std::string& object, Entries& entries, Add add) {
  rados_read_op_t op = rados_create_read_op();
  rados_omap_iter_t iterator = nullptr;
  int part = 0;
  add(op, &iterator, &part);
  int code = rados_read_op_operate(op, pool.io, object.c_str(), LIBRADOS_OPERATION_NOFLAG);
  if (code == 0) code = part;
  Drain(iterator, code, entries);
  rados_release_read_op(op);
  return {"rados_read_op_operate", code == -ENOENT ? 0 : code};
}

// One of the addon's threads. Runs what `add(op)` put into one operation: all of it happens, or nothing.
//
// Implements:
//   rados_write_op_t rados_create_write_op(void);
//   int rados_write_op_operate2(rados_write_op_t write_op, rados_ioctx_t io, const char *oid, struct timespec *mtime,
//                               int flags);
//   void rados_release_write_op(rados_write_op_t write_op);
template <typename Add>
int WriteOmap(const PoolHandle& pool, const std::string& object, Add add) {
  rados_write_op_t op = rados_create_write_op();
  add(op);
  const int code = rados_write_op_operate2(op, pool.io, object.c_str(), nullptr, LIBRADOS_OPERATION_NOFLAG);
  rados_release_write_op(op);
  return code;
}

// Implements:
//   void rados_write_op_omap_set2(rados_write_op_t write_op, char const *const *keys, char const *const *vals,
//                                 const size_t *key_lens, const size_t *val_lens, size_t num);
void AddSet(rados_write_op_t op, const Entries& entries) {
  if (entries.empty()) return;
  Pointers keys, values;
  for (const auto& [key, value] : entries) {
    keys.add(key);
    values.add(value);
  }
  rados_write_op_omap_set2(op, keys.data.data(), values.data.data(), keys.lengths.data(), values.lengths.data(),
                           entries.size());
}

Napi::Value ToMap(Napi::Env env, const Entries& entries) {
  auto map = env.Global().Get("Map").As<Napi::Function>().New({});
  auto set = map.Get("set").As<Napi::Function>();
  for (const auto& [key, value] : entries) {
    set.Call(map, {Napi::String::New(env, key), Napi::Buffer<char>::Copy(env, value.data(), value.size())});
  }
  return map;
}

void RefuseEmpty(Args& args, const Entries& entries, const char* name) {
  for (const auto& [key, value] : entries) {
    if (value.empty()) args.refuse(-EINVAL, std::string(name) + " of '" + key + "' is empty: that compares like absent");
  }
}

}  // namespace

// Implements:
//   void rados_read_op_omap_get_vals_by_keys2(rados_read_op_t read_op, char const *const *keys, size_t num_keys,
//                                             const size_t *key_lens, rados_omap_iter_t *iter, int *prval);
Napi::Value Pool::OmapGet(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::vector<std::string> keys = args.texts(args.at(1), "keys");
  return Ask<Entries>(
      args, call("rados_read_op_operate", handle_->subject().with_object(object)),
      [pool = handle_, object, keys](Entries& entries) {
        Pointers pointers;
        for (const std::string& key : keys) pointers.add(key);
        return ReadOmap(*pool, object, entries, [&](rados_read_op_t op, rados_omap_iter_t* iterator, int* code) {
          rados_read_op_omap_get_vals_by_keys2(op, pointers.data.data(), keys.size(), pointers.lengths.data(), iterator,
                                               code);
        });
      },
      [](Napi::Env env, Entries& entries) { return ToMap(env, entries); });
}

// Implements:
//   void rados_read_op_omap_get_vals2(rados_read_op_t read_op, const char *start_after, const char *filter_prefix,
//                                     uint64_t max_return, rados_omap_iter_t *iter, unsigned char *pmore, int *prval);
Napi::Value Pool::OmapList(const Napi::CallbackInfo& info) {
  struct Page {
    Entries entries;
    unsigned char more = 0;
  };
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  Napi::Object options = args.options(1, "options");
  const std::string after = args.optional_text(options.Get("after"), "after", true).value_or("");
  const std::string prefix = args.optional_text(options.Get("prefix"), "prefix", true).value_or("");
  const std::uint64_t max = args.optional_number(options.Get("max"), "max").value_or(1000);
  if (max == 0) args.refuse(-EINVAL, "max must not be 0");
  return Ask<Page>(
      args, call("rados_read_op_operate", handle_->subject().with_object(object)),
      [pool = handle_, object, after, prefix, max](Page& page) {
        return ReadOmap(*pool, object, page.entries, [&](rados_read_op_t op, rados_omap_iter_t* iterator, int* code) {
          rados_read_op_omap_get_vals2(op, after.c_str(), prefix.c_str(), max, iterator, &page.more, code);
        });
      },
      [](Napi::Env env, Page& page) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("entries", ToMap(env, page.entries));
        object.Set("more", page.more != 0);
        return object;
      });
}

// Creating the object first makes the comparison work on one that is not there; the OSD compares a missing key as an
// empty value, so that "absent" is EQ with nothing and no value may be empty.
//
// Implements:
//   void rados_write_op_create(rados_write_op_t write_op, int exclusive, const char *category);
//   void rados_write_op_omap_cmp2(rados_write_op_t write_op, const char *key, uint8_t comparison_operator,
//                                 const char *val, size_t key_len, size_t val_len, int *prval);
//   void rados_write_op_omap_rm_keys2(rados_write_op_t write_op, char const *const *keys, const size_t *key_lens,
//                                     size_t keys_len);
Napi::Value Pool::OmapCompareAndSet(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  Napi::Object change = args.options(1, "change");
  std::vector<std::string> absent;
  Entries expect = args.entries(change.Get("expect"), "expect", &absent);
  const Entries set = args.entries(change.Get("set"), "set");
  const std::vector<std::string> remove = args.texts(change.Get("remove"), "remove");
  RefuseEmpty(args, expect, "expect");
  RefuseEmpty(args, set, "set");
  for (const std::string& key : absent) expect[key] = "";

  return RunUnless(-ECANCELED, args, call("rados_write_op_operate2", handle_->subject().with_object(object)),
                   [pool = handle_, object, expect, set, remove] {
                     Pointers removed;
                     for (const std::string& key : remove) removed.add(key);
                     return WriteOmap(*pool, object, [&](rados_write_op_t op) {
                       rados_write_op_create(op, LIBRADOS_CREATE_IDEMPOTENT, nullptr);
                       for (const auto& [key, value] : expect) {
                         rados_write_op_omap_cmp2(op, key.data(), LIBRADOS_CMPXATTR_OP_EQ, value.data(), key.size(),
                                                  value.size(), nullptr);
                       }
                       AddSet(op, set);
                       if (!remove.empty()) {
                         rados_write_op_omap_rm_keys2(op, removed.data.data(), removed.lengths.data(), remove.size());
                       }
                     });
                   });
}

// Implements:
//   void rados_write_op_create(rados_write_op_t write_op, int exclusive, const char *category);
Napi::Value Pool::CreateExclusive(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const Entries omap = args.entries(args.at(1), "omap");
  RefuseEmpty(args, omap, "omap");
  return RunUnless(-EEXIST, args, call("rados_write_op_operate2", handle_->subject().with_object(object)),
                   [pool = handle_, object, omap] {
                     return WriteOmap(*pool, object, [&](rados_write_op_t op) {
                       rados_write_op_create(op, LIBRADOS_CREATE_EXCLUSIVE, nullptr);
                       AddSet(op, omap);
                     });
                   });
}

}  // namespace cellar
