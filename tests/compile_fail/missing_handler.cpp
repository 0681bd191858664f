// expect: accepts a message that it has no handler for
// expect: has_handler_for<account, withdraw>
#include <troupe/actors.hpp>

struct deposit {};
struct withdraw {};

struct account {
#ifdef TROUPE_COMPILE_FAIL
  using accepts = troupe::protocol<deposit, withdraw>;
#else
  using accepts = troupe::protocol<deposit>;
#endif
  void handle(deposit) {}
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
