#include <climits>

#include "completion.hpp"
#include "image.hpp"

// The data plane of an image.

namespace cellar {
namespace {

// librbd cuts a write at the image's end and calls it a success: what does not fit is refused here, by the size as we
// last heard it.
void RefuseBeyond(Args& args, std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
  if (offset > size || length > size - offset) args.refuse(-EINVAL, "reaches beyond the end at " + std::to_string(size));
}

// Lengths are int or unsigned deep inside librbd.
void RefuseHuge(Args& args, std::uint64_t length) {
  if (length > INT_MAX) args.refuse(-EINVAL, "more than 2^31-1 bytes at once");
}

}  // namespace

// At or after the end it answers 0 bytes, as files do; librbd would answer EINVAL.
//
// Implements:
//   int rbd_aio_read(rbd_image_t image, uint64_t off, size_t len, char *buf, rbd_completion_t c);
Napi::Value Image::Read(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::uint64_t offset = args.number(args.at(0), "offset");
  const Bytes buffer = args.bytes(args.at(1), "buffer");
  RefuseHuge(args, buffer.length);
  const std::uint64_t size = handle_->size;
  const std::size_t length = offset >= size ? 0 : std::min<std::uint64_t>(buffer.length, size - offset);
  const auto answer = [](Napi::Env env, ssize_t bytes) -> Napi::Value {
    return Napi::Number::New(env, static_cast<double>(bytes));
  };
  if (length == 0) return SubmitNothing(args, call("rbd_aio_read"), answer);
  return Submit(
      args, call("rbd_aio_read"), args.at(1),
      [&](rbd_completion_t completion) {
        return rbd_aio_read(handle_->image, offset, length, buffer.data, completion);
      },
      answer);
}

// Implements:
//   int rbd_aio_write(rbd_image_t image, uint64_t off, size_t len, const char *buf, rbd_completion_t c);
Napi::Value Image::Write(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::uint64_t offset = args.number(args.at(0), "offset");
  const Bytes buffer = args.bytes(args.at(1), "buffer");
  RefuseHuge(args, buffer.length);
  RefuseBeyond(args, handle_->size, offset, buffer.length);
  if (buffer.length == 0) return SubmitNothing(args, call("rbd_aio_write"));
  return Submit(args, call("rbd_aio_write"), args.at(1), [&](rbd_completion_t completion) {
    return rbd_aio_write(handle_->image, offset, buffer.length, buffer.data, completion);
  });
}

// Implements:
//   int rbd_aio_write_zeroes(rbd_image_t image, uint64_t off, size_t len, rbd_completion_t c, int zero_flags,
//                            int op_flags);
Napi::Value Image::WriteZeroes(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::uint64_t offset = args.number(args.at(0), "offset");
  const std::uint64_t length = args.number(args.at(1), "length");
  RefuseHuge(args, length);
  RefuseBeyond(args, handle_->size, offset, length);
  if (length == 0) return SubmitNothing(args, call("rbd_aio_write_zeroes"));
  return Submit(args, call("rbd_aio_write_zeroes"), Napi::Value(), [&](rbd_completion_t completion) {
    return rbd_aio_write_zeroes(handle_->image, offset, length, completion, 0, 0);
  });
}

// Implements:
//   int rbd_aio_discard(rbd_image_t image, uint64_t off, uint64_t len, rbd_completion_t c);
Napi::Value Image::Discard(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::uint64_t offset = args.number(args.at(0), "offset");
  const std::uint64_t length = args.number(args.at(1), "length");
  RefuseHuge(args, length);
  RefuseBeyond(args, handle_->size, offset, length);
  if (length == 0) return SubmitNothing(args, call("rbd_aio_discard"));
  return Submit(args, call("rbd_aio_discard"), Napi::Value(), [&](rbd_completion_t completion) {
    return rbd_aio_discard(handle_->image, offset, length, completion);
  });
}

// Implements:
//   int rbd_aio_flush(rbd_image_t image, rbd_completion_t c);
Napi::Value Image::Flush(const Napi::CallbackInfo& info) {
  Args args(info);
  return Submit(args, call("rbd_aio_flush"), Napi::Value(),
                [&](rbd_completion_t completion) { return rbd_aio_flush(handle_->image, completion); });
}

}  // namespace cellar
