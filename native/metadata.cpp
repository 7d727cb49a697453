#include "image.hpp"

namespace cellar {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

// One of the addon's threads. One page of keys after `start`; both lists come back as strings that end with NUL, and
// ERANGE comes with the two sizes needed.
int Page(rbd_image_t image, const std::string& start, std::uint64_t max, Entries& entries) {
  std::vector<char> keys(4096), values(16384);
  std::size_t keys_length = 0;
  std::size_t values_length = 0;
  int code = 0;
  do {
    keys_length = keys.size();
    values_length = values.size();
    code = rbd_metadata_list(image, start.c_str(), max, keys.data(), &keys_length, values.data(), &values_length);
    if (code == -ERANGE) {
      keys.resize(keys_length + 1);
      values.resize(values_length + 1);
    }
  } while (code == -ERANGE);
  if (code < 0) return code;

  int count = 0;
  const char* value = values.data();
  for (const char* key = keys.data(); key < keys.data() + keys_length; ++count) {
    entries.emplace_back(key, value);
    key += entries.back().first.size() + 1;
    value += entries.back().second.size() + 1;
  }
  return count;
}

}  // namespace

// Implements:
//   int rbd_metadata_list(rbd_image_t image, const char *start, uint64_t max, char *keys, size_t *key_len, char *values,
//                         size_t *vals_len);
Napi::Value Image::Metadata(const Napi::CallbackInfo& info) {
  constexpr std::uint64_t kPage = 64;
  Args args(info);
  return Ask<Entries>(
      args, call("rbd_metadata_list"),
      [image = handle_](Entries& entries) -> Status {
        int count = 0;
        do {
          const std::string start = entries.empty() ? "" : entries.back().first;
          count = Page(image->image, start, kPage, entries);
        } while (count == static_cast<int>(kPage));
        return {"rbd_metadata_list", count};
      },
      [](Napi::Env env, Entries& entries) -> Napi::Value {
        auto object = Napi::Object::New(env);
        for (const auto& [key, value] : entries) object.Set(key, value);
        return object;
      });
}

}  // namespace cellar
