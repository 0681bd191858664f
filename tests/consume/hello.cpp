// The first program of a user: an actor, a message, a question.
#include <troupe/actors.hpp>

#include <chrono>
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
  const troupe::ref<add, get> c = sys.spawn<counter>({.name = "counter"});
  if (c.tell(add{2}) != troupe::send_result::ok) {
    return 1;
  }
  const troupe::result<int> v = sys.block_on(c.ask(get{}, 5s));
  std::printf("%d\n", v.value_or(-1));
  return v == 2 ? 0 : 1;
}
