#include "teardown.hpp"

#include <chrono>
#include <cstdio>

#include "environment.hpp"
#include "operation.hpp"

namespace cellar {

using namespace std::chrono_literals;

void Teardown::Install(napi_env env, std::shared_ptr<Environment> environment) {
  auto* teardown = new Teardown;
  teardown->environment_ = std::move(environment);
  napi_get_uv_event_loop(env, &teardown->loop_);
  napi_add_async_cleanup_hook(env, Begin, teardown, nullptr);
}

void Teardown::CloseAll(Environment& environment) {
  std::set<std::shared_ptr<Handle>> roots;
  {
    std::lock_guard lock(environment.mutex);
    environment.tearing_down = true;
    roots = environment.roots;
  }
  for (Operation* operation : environment.threads.drop_queued()) Operation::forget(operation);
  for (const auto& root : roots) {
    root->give_up();
    root->close();
  }
}

void Teardown::Begin(napi_async_cleanup_hook_handle hook, void* data) {
  auto* self = static_cast<Teardown*>(data);
  self->hook_ = hook;
  CloseAll(*self->environment_);

  // A uv_async_t and not the thread-safe function: that one is closed by a hook of its own, right after this one.
  uv_async_init(self->loop_, &self->ended_, End);
  self->ended_.data = self;
  self->waiter_ = std::thread([self] { self->wait(); });
}

void Teardown::wait() {
  Environment& environment = *environment_;
  {
    std::unique_lock lock(environment.mutex);
    auto gone = [&] { return environment.roots.empty(); };
    if (!environment.root_released.wait_for(lock, 500ms, gone)) {
      std::fputs("cellar: waiting for calls to the Ceph cluster to end before exit\n", stderr);
      environment.root_released.wait(lock, gone);
    }
  }
  environment.threads.join();
  environment.surveyors.join();
  environment.hashers.join();
  environment.sender.join();
  uv_async_send(&ended_);
}

void Teardown::End(uv_async_t* ended) {
  auto* self = static_cast<Teardown*>(ended->data);
  self->waiter_.join();
  uv_close(reinterpret_cast<uv_handle_t*>(ended), [](uv_handle_t* handle) {
    auto* teardown = static_cast<Teardown*>(handle->data);
    napi_remove_async_cleanup_hook(teardown->hook_);
    delete teardown;
  });
}

}  // namespace cellar
