#pragma once

#include <napi.h>

namespace cellar {

// process.exit() runs no cleanup hook of the main environment: it goes to exit(3), whose static destructors pull librados'
// tables away from under its threads (measured: aborts and segmentation faults). Two things stand against that.

// JS thread: src/rbd/binding.ts calls it in the process's 'exit' event. Ends this environment's connections as Teardown
// does, and waits for that, but not longer than kPatience: exit means now.
Napi::Value EndOfProcess(const Napi::CallbackInfo& info);

// Any thread. From now on exit(3) with a connection still open, in any environment, becomes _exit(2) with the same status.
void GuardExit();

// Any thread. How many connections are open or being opened in this process.
void ConnectionOpened();
void ConnectionReleased();

}  // namespace cellar
