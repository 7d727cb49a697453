#include "digests.hpp"

namespace cellar {
namespace {

std::string Hex(const unsigned char* bytes, unsigned length) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    hex.push_back(kDigits[bytes[i] >> 4]);
    hex.push_back(kDigits[bytes[i] & 15]);
  }
  return hex;
}

}  // namespace

bool Digests::add(const std::string& name) {
  if (contexts_.contains(name)) return true;
  const EVP_MD* algorithm = EVP_get_digestbyname(name.c_str());
  if (algorithm == nullptr || EVP_MD_get_size(algorithm) <= 0) return false;
  if ((EVP_MD_get_flags(algorithm) & EVP_MD_FLAG_XOF) != 0) return false;
  std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) return false;
  contexts_[name] = std::move(context);
  return true;
}

void Digests::update(const char* data, std::size_t length) {
  for (auto& [name, context] : contexts_) {
    if (EVP_DigestUpdate(context.get(), data, length) != 1) failed_ = true;
  }
}

std::map<std::string, std::string> Digests::finish() {
  std::map<std::string, std::string> digests;
  for (auto& [name, context] : contexts_) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (failed_ || EVP_DigestFinal_ex(context.get(), bytes, &length) != 1) return {};
    digests[name] = Hex(bytes, length);
  }
  return digests;
}

}  // namespace cellar
