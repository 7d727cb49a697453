#include <mutex>

#include "cluster.hpp"
#include "environment.hpp"
#include "exit.hpp"
#include "wrap.hpp"

namespace cellar {
namespace {

struct Settings {
  std::string user;
  std::string conf;
  std::vector<std::pair<std::string, std::string>> options;  // in the order they are set
  std::uint64_t osd_op_timeout = 0;                          // seconds
};

// Ceph counts in whole seconds, and 0 means for ever, which no call of ours may wait.
std::uint64_t Seconds(Args& args, Napi::Value value, const char* name) {
  const std::uint64_t ms = args.number(value, name);
  if (ms == 0) args.refuse(-EINVAL, std::string(name) + " must not be 0: to Ceph that is no deadline at all");
  return (ms + 999) / 1000;
}

Settings Read(Args& args) {
  Napi::Object given = args.options(0, "options");
  Settings settings;
  settings.user = args.text(given.Get("user"), "user");
  settings.conf = args.text(given.Get("conf"), "conf");
  // An agent does not litter: no log file and no admin socket of librados, unless the caller asks for them.
  settings.options = {{"log_file", ""}, {"admin_socket", ""}, {"log_to_stderr", "false"}, {"err_to_stderr", "false"}};
  for (auto& [name, value] : args.entries(given.Get("options"), "options")) {
    if (name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
      args.refuse(-EINVAL, "an option has a NUL character");
    }
    settings.options.emplace_back(name, value);
  }
  const auto deadline = [&](const char* option, const char* name) {
    const std::uint64_t seconds = Seconds(args, given.Get(name), name);
    settings.options.emplace_back(option, std::to_string(seconds));
    return seconds;
  };
  deadline("client_mount_timeout", "clientMountTimeoutMs");
  settings.osd_op_timeout = deadline("rados_osd_op_timeout", "osdOpTimeoutMs");
  deadline("rados_mon_op_timeout", "monOpTimeoutMs");
  return settings;
}

// One of the addon's threads.
//
// Implements:
//   int rados_create2(rados_t *pcluster, const char *const clustername, const char *const name, uint64_t flags);
//   int rados_conf_read_file(rados_t cluster, const char *path);
//   int rados_conf_set(rados_t cluster, const char *option, const char *value);
//   int rados_connect(rados_t cluster);
//   int rados_cluster_fsid(rados_t cluster, char *buf, size_t len);
//   uint64_t rados_get_instance_id(rados_t cluster);
//   int rados_getaddrs(rados_t cluster, char** addrs);
Status Open(ClusterHandle& handle, const Settings& settings) {
  handle.osd_op_timeout_ms = settings.osd_op_timeout * 1000;
  int code = rados_create2(&handle.cluster, "ceph", ("client." + settings.user).c_str(), 0);
  if (code < 0) return {"rados_create2", code, "client." + settings.user};
  code = rados_conf_read_file(handle.cluster, settings.conf.c_str());
  if (code < 0) return {"rados_conf_read_file", code, settings.conf};
  for (const auto& [name, value] : settings.options) {
    code = rados_conf_set(handle.cluster, name.c_str(), value.c_str());
    if (code < 0) return {"rados_conf_set", code, name};  // never the value: it may be a key
  }
  code = rados_connect(handle.cluster);
  // Again: exit handlers run newest first, and librados made some of its own until here.
  static std::once_flag once;
  std::call_once(once, GuardExit);
  if (code < 0) return {"rados_connect", code, "client." + settings.user};

  char fsid[37] = "";
  code = rados_cluster_fsid(handle.cluster, fsid, sizeof fsid);
  if (code < 0) return {"rados_cluster_fsid", code};
  handle.fsid = fsid;
  handle.instance_id = std::to_string(rados_get_instance_id(handle.cluster));

  char* addresses = nullptr;
  code = rados_getaddrs(handle.cluster, &addresses);
  if (code < 0) return {"rados_getaddrs", code};
  handle.addresses = {addresses};
  rados_buffer_free(addresses);
  return {"rados_connect"};
}

}  // namespace

Napi::Value Cluster::Connect(const Napi::CallbackInfo& info) {
  Args args(info);
  auto handle = std::make_shared<ClusterHandle>(Environment::Of(info.Env()).shared_from_this(), nullptr);
  return OpenHandle<Cluster>(
      args, {"rados_connect", {}, {handle}}, handle,
      [handle, settings = Read(args)]() -> Status { return Open(*handle, settings); });
}

}  // namespace cellar
