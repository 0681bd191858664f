// The code of docs/testing.md: scripts/check_docs compares each region with its fence.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct work {
  int number;
};

/// Writes down what it handled, and waits a random time for each message.
struct worker {
  using accepts = troupe::protocol<work>;
  worker(std::vector<int>* d, troupe::duration t) : done(d), takes(t) {}
  troupe::task<void> handle(work m) {
    co_await troupe::sleep_for(takes);
    done->push_back(m.number);
  }
  std::vector<int>* done;
  troupe::duration takes;
};

// [seeds]
TEST_CASE("worker: every message is handled once, in order, however long each takes") {
  troupe::testkit::for_each_seed(200, [](std::uint64_t seed) {
    std::vector<int> done;
    troupe::testkit::test_system b({.seed = seed, .max_slice_time = 1ms});
    const auto takes =
        std::chrono::milliseconds(b.time.random() % 50);  // the test's own choices, from the seed
    const auto w = b.sys.spawn<worker>({.mailbox = {.capacity = 3}}, &done, takes);
    for (int i = 1; i <= 3; ++i) REQUIRE(w.tell(work{i}) == troupe::send_result::ok);
    b.advance(1s);
    CHECK(done == std::vector{1, 2, 3});
  });
}
// [/seeds]

// [probe]
struct ping {
  troupe::ref<int> to;
};

struct echo {
  using accepts = troupe::protocol<ping>;
  void handle(const ping& m) { (void)m.to.tell(++count); }
  int count = 0;
};

TEST_CASE("echo: each ping is answered once, and a crash is logged") {
  troupe::testkit::test_system b;
  troupe::testkit::probe<int> p(b.sys);
  troupe::testkit::dead_letter_probe lost(b.sys);
  const auto e = b.sys.spawn<echo>({.name = "echo"});
  REQUIRE(e.tell(ping{p.ref()}) == troupe::send_result::ok);
  CHECK(p.expect<int>() == 1);
  p.expect_nothing();  // exact: nothing else is under way
  b.crash_on(e, 1);    // the handler of the next message throws
  REQUIRE(e.tell(ping{p.ref()}) == troupe::send_result::ok);
  p.expect_nothing_for(1s);  // of virtual time
  CHECK(lost.take()->cause == troupe::dead_letter_cause::crashed);
  CHECK(b.log.count("/echo") > 0);
}
// [/probe]

}  // namespace
