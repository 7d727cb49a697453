#include "error.hpp"

#include <cstring>
#include <string>

#include "environment.hpp"

namespace cellar {
namespace {

void SetIfAny(Napi::Object fields, const char* name, const std::string& value) {
  if (!value.empty()) fields.Set(name, value);
}

// "UNKNOWN" is what libuv says too; the number is in `errno`.
std::string NameOf(int number) {
  const char* name = strerrorname_np(number);
  return name == nullptr ? "UNKNOWN" : name;
}

std::string ReasonOf(int number) {
  const char* text = strerrordesc_np(number);
  return text == nullptr ? "Unknown error " + std::to_string(number) : text;
}

}  // namespace

Napi::Value MakeError(Napi::Env env, const Status& status, const Subject& subject) {
  Napi::Object fields = Napi::Object::New(env);
  fields.Set("code", NameOf(-status.code));
  fields.Set("errno", status.code);
  fields.Set("syscall", status.call);
  fields.Set("reason", ReasonOf(-status.code));
  SetIfAny(fields, "detail", status.detail);
  SetIfAny(fields, "pool", subject.pool);
  SetIfAny(fields, "namespace", subject.pool_namespace);
  SetIfAny(fields, "image", subject.image);
  SetIfAny(fields, "snapshot", subject.snapshot);
  SetIfAny(fields, "object", subject.object);
  return Environment::Of(env).error_class.New({fields});
}

}  // namespace cellar
