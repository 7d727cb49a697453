#include "cluster.hpp"

#include "pool.hpp"
#include "wrap.hpp"

namespace cellar {

template <>
Napi::FunctionReference& ClassOf<Cluster>(Napi::Env env) {
  return Environment::Of(env).cluster_class;
}

// Implements:
//   void rados_shutdown(rados_t cluster);
void ClusterHandle::release(Done done) {
  rados_t connected = std::exchange(cluster, nullptr);
  if (connected != nullptr && !notifies.keep(connected)) rados_shutdown(connected);
  done({"rados_shutdown"});
}

Napi::Function Cluster::Class(Napi::Env env) {
  return DefineClass(env, "NativeCluster",
                     {
                         InstanceMethod<&Cluster::OpenPool>("openPool"),
                         InstanceMethod<&Cluster::MonCommand>("monCommand"),
                         InstanceMethod<&Cluster::ListPools>("listPools"),
                         InstanceMethod<&Cluster::Close>("close"),
                     });
}

Cluster::Cluster(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Cluster>(info), handle_(Unwrapped<ClusterHandle>(info)) {
  if (!handle_) return;
  auto self = info.This().As<Napi::Object>();
  auto addresses = Napi::Array::New(info.Env(), handle_->addresses.size());
  for (std::uint32_t i = 0; i < handle_->addresses.size(); ++i) addresses.Set(i, handle_->addresses[i]);
  self.DefineProperties({
      Napi::PropertyDescriptor::Value("addresses", addresses, napi_enumerable),
      Napi::PropertyDescriptor::Value("fsid", Napi::String::New(info.Env(), handle_->fsid), napi_enumerable),
      Napi::PropertyDescriptor::Value("instanceId", Napi::String::New(info.Env(), handle_->instance_id), napi_enumerable),
  });
}

Napi::Value Cluster::OpenPool(const Napi::CallbackInfo& info) { return Pool::Open(info, handle_); }

// Implements:
//   int rados_mon_command(rados_t cluster, const char **cmd, size_t cmdlen, const char *inbuf, size_t inbuflen,
//                         char **outbuf, size_t *outbuflen, char **outs, size_t *outslen);
//   void rados_buffer_free(char *buf);
Napi::Value Cluster::MonCommand(const Napi::CallbackInfo& info) {
  struct Reply {
    std::string output;
    std::string status;
  };
  Args args(info);
  const std::string command = args.text(args.at(0), "command");
  const Bytes input = args.at(1).IsUndefined() ? Bytes{} : args.bytes(args.at(1), "input");
  return Ask<Reply>(
      args, {"rados_mon_command", {}, {handle_}},
      [handle = handle_, command, input = std::string(input.data, input.length)](Reply& reply) -> Status {
        const char* commands[] = {command.c_str()};
        char* output = nullptr;
        char* status = nullptr;
        std::size_t output_length = 0;
        std::size_t status_length = 0;
        const int code = rados_mon_command(handle->cluster, commands, 1, input.data(), input.size(), &output,
                                           &output_length, &status, &status_length);
        if (output != nullptr) reply.output.assign(output, output_length);
        if (status != nullptr) reply.status.assign(status, status_length);
        rados_buffer_free(output);
        rados_buffer_free(status);
        return {"rados_mon_command", code, reply.status};
      },
      [](Napi::Env env, Reply& reply) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("output", Napi::Buffer<char>::Copy(env, reply.output.data(), reply.output.size()));
        object.Set("status", reply.status);
        return object;
      });
}

int ClusterHandle::known_pools(std::vector<std::string>& names) {
  std::vector<char> buffer;
  const int code = Growing(buffer, 1024, [&](char* data, std::size_t* size) {
    const int needed = rados_pool_list(cluster, data, *size);
    if (needed < 0) return needed;
    const bool fits = static_cast<std::size_t>(needed) <= *size;
    *size = static_cast<std::size_t>(needed);
    return fits ? 0 : -ERANGE;
  });
  if (code == 0) names = Strings(buffer);
  return code;
}

int ClusterHandle::reach_monitors() {
  const char* commands[] = {R"({"prefix": "version"})"};
  return rados_mon_command(cluster, commands, 1, nullptr, 0, nullptr, nullptr, nullptr, nullptr);
}

Napi::Value Cluster::ListPools(const Napi::CallbackInfo& info) {
  using Names = std::vector<std::string>;
  Args args(info);
  return Ask<Names>(
      args, {"rados_pool_list", {}, {handle_}},
      [handle = handle_](Names& names) -> Status {
        return {"rados_pool_list", handle->known_pools(names)};
      },
      [](Napi::Env env, Names& names) -> Napi::Value {
        auto array = Napi::Array::New(env, names.size());
        for (std::uint32_t i = 0; i < names.size(); ++i) array.Set(i, names[i]);
        return array;
      });
}

Napi::Value Cluster::Close(const Napi::CallbackInfo& info) { return cellar::Close(info.Env(), {}, *handle_); }

}  // namespace cellar
