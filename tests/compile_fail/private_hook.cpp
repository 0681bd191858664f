// expect: the actor's stopping\(\) is never called as it is
#include <troupe/actors.hpp>

struct deposit {};

class account {
 public:
  using accepts = troupe::protocol<deposit>;
  void handle(deposit) {}

#ifdef TROUPE_COMPILE_FAIL
 private:
#endif
  void stopping(troupe::context&, const troupe::exit_reason&) {}
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
