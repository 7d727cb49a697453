#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <string>

namespace cellar {

// The digests of one stream of bytes, by name, with Node's own OpenSSL. One thread at a time, any thread.
class Digests {
 public:
  // False when there is no such algorithm, or its digest has no length of its own.
  bool add(const std::string& name);

  void update(const char* data, std::size_t length);

  // In hex. Nothing may follow it. Empty when OpenSSL failed.
  std::map<std::string, std::string> finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  std::map<std::string, std::unique_ptr<EVP_MD_CTX, Free>> contexts_;
  bool failed_ = false;
};

}  // namespace cellar
