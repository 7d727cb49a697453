#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "status.hpp"

namespace cellar {

// Bytes of a Uint8Array, borrowed for the call.
struct Bytes {
  char* data = nullptr;
  std::size_t length = 0;
};

// JS thread. The arguments of one call. Reading goes on after a bad one; the first complaint is kept, and Work, Ask and
// Submit reject the promise with it before anything reaches the cluster: a TypeError for a wrong type, an RbdError
// EINVAL for a bad value, ERANGE for a number above 2^53-1.
class Args {
 public:
  explicit Args(const Napi::CallbackInfo& info) : info_(info), env_(info.Env()) {}

  Napi::Env env() const { return env_; }

  Napi::Value at(std::size_t index) const { return info_[index]; }
  // The object at `index`; an empty one when it is undefined.
  Napi::Object options(std::size_t index, const char* name);

  // Text for a `const char *`: without NUL, and not empty unless `may_be_empty`.
  std::string text(Napi::Value value, const char* name, bool may_be_empty = false);
  // Bytes that may hold anything: omap keys.
  std::string any_text(Napi::Value value, const char* name);
  std::optional<std::string> optional_text(Napi::Value value, const char* name, bool may_be_empty = false);
  std::uint64_t number(Napi::Value value, const char* name);
  std::optional<std::uint64_t> optional_number(Napi::Value value, const char* name);
  bool flag(Napi::Value value, const char* name);
  Bytes bytes(Napi::Value value, const char* name);
  std::vector<std::string> texts(Napi::Value value, const char* name);
  // A plain object's own entries; undefined values are left out unless `missing` is given, which collects their keys.
  std::map<std::string, std::string> entries(Napi::Value value, const char* name, std::vector<std::string>* missing = nullptr);

  void refuse(int code, const std::string& detail);
  void refuse_type(const std::string& message);

  bool refused() const { return status_.failed() || !type_error_.empty(); }
  // The rejected promise for the first complaint.
  Napi::Value rejection(const char* call, const Subject& subject);
  // The same complaint thrown, for calls that answer no promise.
  Napi::Value raise(const char* call, const Subject& subject);

 private:
  Napi::Value complaint(const char* call, const Subject& subject);
  const Napi::CallbackInfo& info_;
  Napi::Env env_;
  Status status_;
  std::string type_error_;
};

// JS thread. A promise rejected with `status`.
Napi::Value Rejected(Napi::Env env, const Status& status, const Subject& subject);

// Any thread. ERANGE when JavaScript's numbers cannot hold `value` exactly.
Status Exact(const char* call, std::uint64_t value);

}  // namespace cellar
