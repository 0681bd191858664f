// The smallest program: one actor that takes a message and answers a request.
//
//   troupe-hello
#include <troupe/actors.hpp>

#include <cstdio>

// A message is any struct. One that names a reply is a request.
struct greet {
  const char* name;
};
struct count {
  using reply = int;
};

// An actor is any class that lists its messages and has a handler for each.
struct greeter {
  using accepts = troupe::protocol<greet, count>;
  void handle(greet m) {
    ++greeted;
    std::printf("hello, %s\n", m.name);
  }
  int handle(count) const { return greeted; }
  int greeted = 0;
};

int main() {
  troupe::system sys;  // starts the worker threads
  const auto g = sys.spawn<greeter>({.name = "greeter"});
  if (g.tell(greet{"world"}) != troupe::send_result::ok) return 1;  // does not wait
  const troupe::result<int> n = sys.block_on(g.ask(count{}));       // waits for the reply
  if (!n) {
    std::fprintf(stderr, "%s\n", n.error().to_string().c_str());
    return 1;
  }
  std::printf("%s has greeted %d\n", g.path().c_str(), *n);
}
