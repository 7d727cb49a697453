#pragma once

#include <string>
#include <utility>

namespace cellar {

// What a C call answered: the call's name and its return value, negative when it failed. Plain data, any thread.
struct Status {
  const char* call = "";
  int code = 0;
  std::string detail{};  // the cluster's own words, where it has some

  bool failed() const { return code < 0; }
};

// What the call was about, for the error's text and fields.
struct Subject {
  std::string pool{};
  std::string pool_namespace{};
  std::string image{};
  std::string snapshot{};
  std::string object{};

  Subject with_image(std::string name) const {
    Subject copy = *this;
    copy.image = std::move(name);
    return copy;
  }
  Subject with_snapshot(std::string name) const {
    Subject copy = *this;
    copy.snapshot = std::move(name);
    return copy;
  }
  Subject with_object(std::string name) const {
    Subject copy = *this;
    copy.object = std::move(name);
    return copy;
  }
};

}  // namespace cellar
