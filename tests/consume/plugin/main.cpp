// A program, a library of the user's and the libraries of Troupe: messages, requests, notices and exceptions
// pass between them.
#include "shop.hpp"

#include <chrono>
#include <cstdio>

namespace {

using namespace std::chrono_literals;

struct closed {
  using reply = bool;
};

struct watcher {
  using accepts = troupe::protocol<closed>;
  explicit watcher(troupe::any_ref who) : watched(std::move(who)) {}
  void started(troupe::context& ctx) { ctx.watch(watched); }
  void handle(const troupe::down&) { over = true; }
  [[nodiscard]] bool handle(closed) const { return over; }
  troupe::any_ref watched;
  bool over = false;
};

bool check(bool ok, const char* what) {
  if (!ok) std::fprintf(stderr, "plugin: FAILED %s\n", what);
  return ok;
}

}  // namespace

int main() {
  bool ok = true;
  troupe::system sys({.log = &troupe::silent_log()});
  const auto shelf = shop::open(sys);
  const auto w = sys.spawn<watcher>({.name = "watcher"}, shelf);
  ok &= check(shelf.tell(shop::put{"tea"}) == troupe::send_result::ok, "tell");
  ok &= check(sys.block_on(shelf.ask(shop::count{}, 5s)) == 1, "the library knows the program's messages");
  ok &= check(shelf.tell(shop::put{""}) == troupe::send_result::ok, "tell");
  ok &= check(sys.block_on(shelf.ask(shop::count{}, 5s)) == 0,
              "an exception of the library restarts its actor");
  ok &= check(sys.block_on(w.ask(closed{}, 5s)) == false, "the watcher answers");
  ok &= check(shelf.tell(shop::close{}) == troupe::send_result::ok, "tell");
  troupe::result<bool> over = false;
  for (int i = 0; i < 1000 && over == false; ++i) {
    sys.block_on(troupe::sleep_for(5ms));
    over = sys.block_on(w.ask(closed{}, 5s));
  }
  ok &= check(over == true, "the program knows the notices of Troupe's libraries");
  std::puts(ok ? "plugin: OK" : "plugin: FAILED");
  return ok ? 0 : 1;
}
