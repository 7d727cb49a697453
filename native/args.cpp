#include "args.hpp"

#include <cerrno>
#include <cmath>

#include "error.hpp"

namespace cellar {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;

}  // namespace

Napi::Object Args::options(std::size_t index, const char* name) {
  Napi::Value value = info_[index];
  if (value.IsObject()) return value.As<Napi::Object>();
  if (!value.IsUndefined()) refuse_type(std::string(name) + " must be an object");
  return Napi::Object::New(env_);
}

std::string Args::any_text(Napi::Value value, const char* name) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  refuse_type(std::string(name) + " must be a string");
  return "";
}

std::string Args::text(Napi::Value value, const char* name, bool may_be_empty) {
  std::string text = any_text(value, name);
  if (text.find('\0') != std::string::npos) refuse(-EINVAL, std::string(name) + " has a NUL character");
  if (text.empty() && !may_be_empty) refuse(-EINVAL, std::string(name) + " is empty");
  return text;
}

std::optional<std::string> Args::optional_text(Napi::Value value, const char* name, bool may_be_empty) {
  if (value.IsUndefined()) return std::nullopt;
  return text(value, name, may_be_empty);
}

std::uint64_t Args::number(Napi::Value value, const char* name) {
  if (!value.IsNumber()) {
    refuse_type(std::string(name) + " must be a number");
    return 0;
  }
  const double number = value.As<Napi::Number>().DoubleValue();
  if (number > kMaxSafeInteger) {
    refuse(-ERANGE, std::string(name) + " is above 2^53-1");
    return 0;
  }
  if (!(number >= 0) || number != std::floor(number)) {
    refuse(-EINVAL, std::string(name) + " must be a whole number, not negative");
    return 0;
  }
  return static_cast<std::uint64_t>(number);
}

std::optional<std::uint64_t> Args::optional_number(Napi::Value value, const char* name) {
  if (value.IsUndefined()) return std::nullopt;
  return number(value, name);
}

bool Args::flag(Napi::Value value, const char* name) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (!value.IsUndefined()) refuse_type(std::string(name) + " must be a boolean");
  return false;
}

Bytes Args::bytes(Napi::Value value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    refuse_type(std::string(name) + " must be a Uint8Array");
    return {};
  }
  auto array = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<char*>(array.Data()), array.ByteLength()};
}

std::vector<std::string> Args::texts(Napi::Value value, const char* name) {
  std::vector<std::string> texts;
  if (value.IsUndefined()) return texts;
  if (!value.IsArray()) {
    refuse_type(std::string(name) + " must be an array of strings");
    return texts;
  }
  auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) texts.push_back(any_text(array[i], name));
  return texts;
}

std::map<std::string, std::string> Args::entries(Napi::Value value, const char* name, std::vector<std::string>* missing) {
  std::map<std::string, std::string> entries;
  if (value.IsUndefined()) return entries;
  if (!value.IsObject()) {
    refuse_type(std::string(name) + " must be an object");
    return entries;
  }
  auto object = value.As<Napi::Object>();
  Napi::Array keys = object.GetPropertyNames();
  for (std::uint32_t i = 0; i < keys.Length(); ++i) {
    Napi::Value key = keys[i];
    const std::string key_text = key.ToString().Utf8Value();
    Napi::Value entry = object.Get(key);
    if (entry.IsUndefined()) {
      if (missing != nullptr) missing->push_back(key_text);
    } else if (entry.IsString()) {
      entries[key_text] = entry.As<Napi::String>().Utf8Value();
    } else {
      const Bytes value_bytes = bytes(entry, name);
      entries[key_text] = std::string(value_bytes.data, value_bytes.length);
    }
  }
  return entries;
}

void Args::refuse(int code, const std::string& detail) {
  if (!refused()) status_ = {"", code, detail};
}

void Args::refuse_type(const std::string& message) {
  if (!refused()) type_error_ = message;
}

Napi::Value Args::rejection(const char* call, const Subject& subject) {
  auto deferred = Napi::Promise::Deferred::New(env_);
  deferred.Reject(complaint(call, subject));
  return deferred.Promise();
}

Napi::Value Args::raise(const char* call, const Subject& subject) {
  napi_throw(env_, complaint(call, subject));
  return env_.Undefined();
}

Napi::Value Args::complaint(const char* call, const Subject& subject) {
  if (type_error_.empty()) return MakeError(env_, {call, status_.code, status_.detail}, subject);
  return Napi::TypeError::New(env_, std::string(call) + ": " + type_error_).Value();
}

Napi::Value Rejected(Napi::Env env, const Status& status, const Subject& subject) {
  auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(MakeError(env, status, subject));
  return deferred.Promise();
}

Status Exact(const char* call, std::uint64_t value) {
  if (static_cast<double>(value) <= kMaxSafeInteger) return {call};
  return {call, -ERANGE, std::to_string(value) + " is above 2^53-1"};
}

}  // namespace cellar
