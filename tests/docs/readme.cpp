// The code of README.md: scripts/check_docs compares each region with its fence.
#include "support/catch.hpp"

// README.md shows a whole program; the first test calls it.
#define main first_program

// [first_program]
#include <troupe/actors.hpp>
using namespace std::chrono_literals;

struct add {
  int by;
};
struct get {
  using reply = int;  // a request names its reply in the message
};

struct counter {  // a plain class: no base, no macro, no registration
  using accepts = troupe::protocol<add, get>;
  void handle(add m) { n += m.by; }  // void | R | task<void> | task<R>; a context& may follow
  int handle(get) const { return n; }
  int n = 0;
};

int main() {
  troupe::system sys;  // or {.workers = 4, .name = "bank"}
  troupe::ref<add, get> c = sys.spawn<counter>({.name = "c", .mailbox = {.capacity = 256}});
  if (c.tell(add{2}) == troupe::send_result::full) return 1;  // or shed load, or wait with send()
  troupe::result<int> v = sys.block_on(c.ask(get{}, 5s));
  return v && *v == 2 ? 0 : 1;
}
// [/first_program]

#undef main

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>

#include <string>

namespace {

struct cache {
  using accepts = troupe::protocol<get>;
  int handle(get) const { return 0; }
};
using worker = cache;

// `sys` says which children run, and ends.
int run_app(troupe::system& sys) {
  // [tree]
  auto tree =
      troupe::supervisor("app", {.restarts = {.max = 5, .within = 10s}})
          .child<cache>("cache", {.backoff = {10ms, 1s}})
          .child(troupe::supervisor("workers", {.strategy = troupe::one_for_all})
                     .child<worker>("1")
                     .child<worker>("2"))
          .child(troupe::supervisor("sessions", {.strategy = troupe::dynamic, .max_children = 10'000}));
  return sys.run(tree);  // until SIGINT or SIGTERM; then stops it in reverse order, by deadline
  // [/tree]
}

struct closing_time {};

/// Ends the system once the tree has come up.
struct closer {
  using accepts = troupe::protocol<closing_time>;
  void started(troupe::context& ctx) { ctx.after(1ms, closing_time{}); }
  void handle(closing_time, troupe::context& ctx) {
    if (ctx.system().at<get>("/app/workers/2")) {
      ctx.system().request_shutdown();
    } else {
      ctx.after(1ms, closing_time{});
    }
  }
};

}  // namespace

TEST_CASE("readme: the first program counts to two and ends") {
  CHECK(first_program() == 0);
}

TEST_CASE("readme: the tree comes up, runs, and ends in order when it is told to") {
  troupe::testkit::log_capture log;
  troupe::system sys({.workers = 2, .name = "readme", .log = &log});
  (void)sys.spawn<closer>({.name = "closer"});
  CHECK(run_app(sys) == 0);
}
