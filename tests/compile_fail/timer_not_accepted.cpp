// expect: a timer sends the actor a message that it does not accept
#include <troupe/actors.hpp>

struct tick {};
struct deposit {};

struct account {
#ifdef TROUPE_COMPILE_FAIL
  using accepts = troupe::protocol<deposit>;
#else
  using accepts = troupe::protocol<deposit, tick>;
#endif
  void started(troupe::context_of<account> ctx) { ctx.every(std::chrono::seconds(1), tick{}); }
  void handle(deposit) {}
  void handle(tick) {}
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
