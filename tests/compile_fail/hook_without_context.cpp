// expect: the actor's started\(\) is never called as it is
#include <troupe/actors.hpp>

struct deposit {};

struct account {
  using accepts = troupe::protocol<deposit>;
  void handle(deposit) {}
#ifdef TROUPE_COMPILE_FAIL
  void started() {}
#else
  void started(troupe::context&) {}
#endif
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
