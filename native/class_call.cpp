#include "pool.hpp"

// Calls of object classes: code that runs on the OSD, beside the object.

namespace cellar {
namespace {

// Ceph's encoding: integers little-endian (as every machine Ceph runs on), text behind its u32 length.
void Append(std::string& out, const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out.append(text);
}

// cls_lock_assert_op, version 1: name, type, cookie, tag. The type 1 is ClsLockType::EXCLUSIVE; rados_lock_exclusive sets no tag.
std::string AssertExclusive(const std::string& name, const std::string& cookie) {
  std::string body;
  Append(body, name);
  body.push_back(1);
  Append(body, cookie);
  Append(body, "");
  std::string out(2, 1);  // struct version and the oldest that can read it
  Append(out, body);
  return out;
}

// One of the addon's threads.
int RemoveLocked(rados_ioctx_t io, const std::string& object, const std::string& assertion) {
  rados_write_op_t op = rados_create_write_op();
  int asserted = 0;
  rados_write_op_exec(op, "lock", "assert_locked", assertion.data(), assertion.size(), &asserted);
  rados_write_op_remove(op);
  const int code = rados_write_op_operate(op, io, object.c_str(), nullptr, 0);
  rados_release_write_op(op);
  return code == -ENOENT ? -EBUSY : code;
}

}  // namespace

// Implements:
//   void rados_write_op_exec(rados_write_op_t write_op, const char *cls, const char *method, const char *in_buf,
//                            size_t in_len, int *prval);
//   void rados_write_op_remove(rados_write_op_t write_op);
//   int rados_write_op_operate(rados_write_op_t write_op, rados_ioctx_t io, const char *oid, time_t *mtime, int flags);
Napi::Value Pool::RemoveLocked(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::string name = args.text(args.at(1), "lockName");
  const std::string cookie = args.text(args.at(2), "cookie", true);
  return RunUnless(-EBUSY, args, call("rados_write_op_operate", handle_->subject().with_object(object)),
                   [pool = handle_, object, assertion = AssertExclusive(name, cookie)] {
                     return cellar::RemoveLocked(pool->io, object, assertion);
                   });
}

// For methods that read, and those that write and answer nothing: what does not fit the first buffer is asked for twice.
//
// Implements:
//   int rados_exec(rados_ioctx_t io, const char *oid, const char *cls, const char *method, const char *in_buf,
//                  size_t in_len, char *buf, size_t out_len);
Napi::Value Pool::Exec(const Napi::CallbackInfo& info) {
  using Answer = std::vector<char>;
  Args args(info);
  const std::string object = args.text(args.at(0), "object");
  const std::string object_class = args.text(args.at(1), "objectClass");
  const std::string method = args.text(args.at(2), "method");
  const Bytes given = args.bytes(args.at(3), "input");
  return Ask<Answer>(
      args, call("rados_exec", handle_->subject().with_object(object)),
      [pool = handle_, object, object_class, method, input = std::string(given.data, given.length)](Answer& answer) -> Status {
        const int code = Growing(answer, 64 * 1024, [&](char* data, std::size_t* size) {
          const int length = rados_exec(pool->io, object.c_str(), object_class.c_str(), method.c_str(), input.data(),
                                        input.size(), data, *size);
          if (length >= 0) *size = static_cast<std::size_t>(length);
          return length < 0 ? length : 0;
        });
        return {"rados_exec", code};
      },
      [](Napi::Env env, Answer& answer) -> Napi::Value { return Napi::Buffer<char>::Copy(env, answer.data(), answer.size()); });
}

}  // namespace cellar
