// expect: add a handle\(\) for it, public, that takes the message by value, const& or &&
#include <troupe/actors.hpp>

struct deposit {};

class account {
 public:
  using accepts = troupe::protocol<deposit>;
#ifdef TROUPE_COMPILE_FAIL
 private:
#endif
  void handle(deposit) {}
};

void open(troupe::system& sys) {
  sys.spawn<account>();
}
