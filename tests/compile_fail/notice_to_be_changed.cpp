// expect: handle\(down&\) is never called
#include <troupe/actors.hpp>

struct deposit {};

struct account {
  using accepts = troupe::protocol<deposit>;
  void handle(deposit) {}
#ifdef TROUPE_COMPILE_FAIL
  void handle(troupe::down&) {}
#else
  void handle(const troupe::down&) {}
#endif
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
