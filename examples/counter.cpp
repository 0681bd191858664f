// An actor with state. Its handlers run one at a time, so the state needs no lock. Its mailbox is bounded, so
// a sender learns when the actor falls behind.
//
//   troupe-counter
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
  // A ref names the messages that may be sent through it.
  const troupe::ref<add, get> c = sys.spawn<counter>({.name = "counter", .mailbox = {.capacity = 256}});
  for (int i = 1; i <= 100; ++i) {
    // tell() never waits. When the mailbox is full, drop the message, or use send() to wait for room.
    if (c.tell(add{i}) == troupe::send_result::full) std::printf("the mailbox is full, dropped %d\n", i);
  }
  // Messages of one sender arrive in order, so the reply counts all of them.
  const troupe::result<int> sum = sys.block_on(c.ask(get{}, 100ms));
  if (!sum) {
    std::fprintf(stderr, "%s\n", sum.error().to_string().c_str());
    return 1;
  }
  std::printf("1 + ... + 100 = %d\n", *sum);
}
