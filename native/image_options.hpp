#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>

#include "args.hpp"
#include "library.hpp"

namespace cellar {

// rbd_image_options_t as a value: made on the JS thread, applied on one of the addon's.
struct ImageOptions {
  std::optional<std::uint64_t> order;
  std::optional<std::uint64_t> features;
  std::optional<std::uint64_t> clone_format;

  // JS thread.
  static ImageOptions Read(Args& args, Napi::Object given) {
    return {args.optional_number(given.Get("order"), "order"),
            args.optional_number(given.Get("features"), "features"),
            args.optional_number(given.Get("cloneFormat"), "cloneFormat")};
  }

  // Any thread. Calls `call(opts)`, and returns what it does, with the options that are set.
  //
  // Implements:
  //   void rbd_image_options_create(rbd_image_options_t *opts);
  //   int rbd_image_options_set_uint64(rbd_image_options_t opts, int optname, uint64_t optval);
  //   void rbd_image_options_destroy(rbd_image_options_t opts);
  template <typename Call>
  int apply(Call call) const {
    rbd_image_options_t opts = nullptr;
    rbd_image_options_create(&opts);
    int code = 0;
    const auto set = [&](int name, const std::optional<std::uint64_t>& value) {
      if (value && code == 0) code = rbd_image_options_set_uint64(opts, name, *value);
    };
    set(RBD_IMAGE_OPTION_ORDER, order);
    set(RBD_IMAGE_OPTION_FEATURES, features);
    set(RBD_IMAGE_OPTION_CLONE_FORMAT, clone_format);
    if (code == 0) code = call(opts);
    rbd_image_options_destroy(opts);
    return code;
  }
};

}  // namespace cellar
