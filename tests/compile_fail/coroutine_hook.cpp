// expect: the started\(\) hook must not be a coroutine
#include <troupe/actors.hpp>

struct deposit {};

struct account {
  using accepts = troupe::protocol<deposit>;
  void handle(deposit) {}
#ifdef TROUPE_COMPILE_FAIL
  troupe::task<void> started(troupe::context&) { co_await troupe::yield(); }
#else
  void started(troupe::context&) {}
  bool stopping = false;  // no hook, but data
#endif
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
