// An actor with state: a plain class that says what it accepts and handles it. A message is told and
// forgotten, or it is a request that names its reply. Handlers run one at a time, so the state needs no lock.
#include <troupe/actors.hpp>

#include <cstdio>

using namespace std::chrono_literals;

struct add {
  int by;
};
struct get {
  using reply = int;
};

struct counter {
  using accepts = troupe::protocol<add, get>;
  void handle(add m) { n += m.by; }
  int handle(get) const { return n; }
  int n = 0;
};

int main() {
  troupe::system sys;
  const troupe::ref<add, get> c = sys.spawn<counter>({.name = "counter", .mailbox = {.capacity = 256}});
  for (int i = 1; i <= 100; ++i) {
    // tell() never waits. A full mailbox is an answer: shed the load, or wait with co_await send().
    if (c.tell(add{i}) == troupe::send_result::full) std::printf("no room for %d\n", i);
  }
  const troupe::result<int> sum = sys.block_on(c.ask(get{}, 100ms));
  if (!sum) {
    std::fprintf(stderr, "%s\n", sum.error().to_string().c_str());
    return 1;
  }
  std::printf("1 + ... + 100 = %d\n", *sum);
}
