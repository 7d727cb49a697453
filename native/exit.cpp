#include "exit.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "environment.hpp"
#include "teardown.hpp"

namespace cellar {
namespace {

constexpr std::chrono::seconds kPatience{5};

std::atomic<int> connections{0};

void LeaveIfConnected(int status, void*) {
  if (connections == 0) return;
  std::fflush(nullptr);
  _exit(status);
}

}  // namespace

Napi::Value EndOfProcess(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::Of(info.Env());
  Teardown::CloseAll(environment);
  std::unique_lock lock(environment.mutex);
  environment.root_released.wait_for(lock, kPatience, [&] { return environment.roots.empty(); });
  return info.Env().Undefined();
}

void GuardExit() { on_exit(LeaveIfConnected, nullptr); }

void ConnectionOpened() { ++connections; }

void ConnectionReleased() { --connections; }

}  // namespace cellar
