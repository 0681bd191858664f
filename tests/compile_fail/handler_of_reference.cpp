// expect: add a handle\(\) for it, public, that takes the message by value, const& or &&
#include <troupe/actors.hpp>

struct deposit {};

struct account {
  using accepts = troupe::protocol<deposit>;
#ifdef TROUPE_COMPILE_FAIL
  void handle(deposit&) {}
#else
  void handle(const deposit&) {}
#endif
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
