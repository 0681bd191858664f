// Troupe inside a user's shared library, whose interface has nothing of it.
#include <troupe/actors.hpp>

#include <chrono>

namespace {

struct add {
  int by;
};
struct get {
  using reply = int;
};

struct counter {
  using accepts = troupe::protocol<add, get>;
  void handle(add m) { n += m.by; }
  [[nodiscard]] int handle(get) const { return n; }
  int n = 0;
};

}  // namespace

/// The sum, as an actor computes it; -1 when it fails.
extern "C" [[gnu::visibility("default")]] int sum_by_actor(int a, int b) {
  troupe::system sys;
  const troupe::ref<add, get> c = sys.spawn<counter>({.name = "counter"});
  if (c.tell(add{a}) != troupe::send_result::ok || c.tell(add{b}) != troupe::send_result::ok) return -1;
  return sys.block_on(c.ask(get{}, std::chrono::seconds(5))).value_or(-1);
}
