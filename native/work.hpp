#pragma once

#include <napi.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "args.hpp"
#include "handle.hpp"
#include "operation.hpp"

namespace cellar {

// A call to make: its C name, what it is about, and the handles it needs open until it is over.
struct Call {
  const char* name;
  Subject subject;
  std::vector<std::shared_ptr<Handle>> handles;
};

// JS thread. The operation for `call` with a use of each handle; null, and `rejection` set, when the arguments were
// refused or a handle is closing (EBADF).
std::unique_ptr<Operation> Prepare(Args& args, const Call& call, Napi::Value* rejection);

// JS thread. Gives the operation to one of the addon's threads.
Napi::Value Queue(std::unique_ptr<Operation> operation);

// Control plane: `execute(result)` on one of the addon's threads, where no Node-API may be called, returning a Status;
// if that is not a failure `answer(env, result)` on the JS thread makes the promise's value.
template <typename Result, typename Execute, typename Answer>
Napi::Value Ask(Args& args, const Call& call, Execute execute, Answer answer) {
  Napi::Value rejection;
  auto operation = Prepare(args, call, &rejection);
  if (!operation) return rejection;
  auto result = std::make_shared<Result>();
  operation->execute = [execute = std::move(execute), result]() -> Status { return execute(*result); };
  operation->answer = [answer = std::move(answer), result](Napi::Env env) -> Napi::Value { return answer(env, *result); };
  return Queue(std::move(operation));
}

// The same for a call without an answer: `execute()` returns the C call's value.
template <typename Execute>
Napi::Value Run(Args& args, const Call& call, Execute execute) {
  Napi::Value rejection;
  auto operation = Prepare(args, call, &rejection);
  if (!operation) return rejection;
  operation->execute = [execute = std::move(execute), name = call.name]() -> Status { return {name, execute()}; };
  return Queue(std::move(operation));
}

// The same for a question: `execute()` returns the C call's value, and `no` is the one that means false.
template <typename Execute>
Napi::Value RunUnless(int no, Args& args, const Call& call, Execute execute) {
  return Ask<bool>(
      args, call,
      [execute = std::move(execute), no, name = call.name](bool& yes) -> Status {
        const int code = execute();
        yes = code != no;
        return {name, yes ? code : 0};
      },
      [](Napi::Env env, bool yes) -> Napi::Value { return Napi::Boolean::New(env, yes); });
}

// JS thread. The promise of a close(): begins it, and settles when the handle is released. Idempotent.
Napi::Value Close(Napi::Env env, const Subject& subject, Handle& handle);

// Any thread. For calls that answer ERANGE and the size they need: asks again until `items` is large enough.
// `ask(T *items, size_t *size)` returns the C call's value.
template <typename T, typename Ask>
int Growing(std::vector<T>& items, std::size_t first, Ask ask) {
  std::size_t size = first;
  int code = 0;
  do {
    items.resize(size);
    code = ask(items.data(), &size);
    if (code == -ERANGE && size <= items.size()) size = items.size() * 2;
  } while (code == -ERANGE);
  items.resize(code < 0 ? 0 : size);
  return code;
}

// Any thread. The strings of a buffer in which each ends with NUL; an empty one ends the list, as in rados_pool_list.
std::vector<std::string> Strings(const std::vector<char>& buffer);

}  // namespace cellar
