// The smallest program: one actor, one message, one question.
#include <troupe/actors.hpp>

#include <cstdio>

struct greet {
  const char* whom;
};
struct how_many {
  using reply = int;
};

struct greeter {
  using accepts = troupe::protocol<greet, how_many>;
  void handle(greet m) {
    ++greeted;
    std::printf("hello, %s\n", m.whom);
  }
  int handle(how_many) const { return greeted; }
  int greeted = 0;
};

int main() {
  troupe::system sys;
  const auto g = sys.spawn<greeter>({.name = "greeter"});
  if (g.tell(greet{"world"}) != troupe::send_result::ok) return 1;
  const troupe::result<int> n = sys.block_on(g.ask(how_many{}));
  if (!n) {
    std::fprintf(stderr, "%s\n", n.error().to_string().c_str());
    return 1;
  }
  std::printf("%s greeted %d\n", g.path().c_str(), *n);
}
