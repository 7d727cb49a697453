#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

// An addon of its own, which needs no library: also a service that talks to no Ceph tells systemd how it is. Node has no
// datagrams of unix sockets.

namespace {

// A path, or a name of the abstract namespace, which is written with an @ in front and has no NUL at its end.
socklen_t Address(const std::string& path, sockaddr_un* address) {
  std::memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.data(), path.size());
  const bool abstract = path[0] == '@';
  if (abstract) address->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
}

// 0 or the errno.
int Send(const std::string& path, const std::string& text) {
  if (path.empty() || path.size() >= sizeof sockaddr_un{}.sun_path) return EINVAL;
  sockaddr_un address;
  const socklen_t length = Address(path, &address);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const ssize_t sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                              reinterpret_cast<const sockaddr*>(&address), length);
  const int code = sent < 0 ? errno : 0;
  close(fd);
  return code;
}

// sendDatagram(path, text): one datagram to a unix socket, without waiting. Answers 0 or the errno.
//
// Implements:
//   ssize_t sendto(int fd, const void *text, size_t length, MSG_NOSIGNAL | MSG_DONTWAIT, const struct sockaddr *path, socklen_t);
Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  if (!info[0].IsString() || !info[1].IsString()) {
    Napi::TypeError::New(info.Env(), "sendDatagram takes a path and a text").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), Send(info[0].As<Napi::String>(), info[1].As<Napi::String>()));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("sendDatagram", Napi::Function::New<SendDatagram>(env, "sendDatagram"));
  return exports;
}

}  // namespace

NODE_API_MODULE(datagram, Init)
