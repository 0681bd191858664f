// The watchdog: a handler that does not yield is reported, and delays no other actor.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>

#include <atomic>
#include <chrono>
#include <thread>

using namespace std::chrono_literals;

namespace {

struct hog_it {};
struct ping {
  using reply = int;
};

struct hog {
  using accepts = troupe::protocol<hog_it, ping>;
  explicit hog(std::atomic<bool>* r) : release(r) {}
  void handle(hog_it) const {
    while (!*release) std::this_thread::sleep_for(100us);
  }
  int handle(ping) { return 1; }
  std::atomic<bool>* release;
};

struct quick {
  using accepts = troupe::protocol<ping>;
  int handle(ping) { return 2; }
};

}  // namespace

TEST_CASE("watchdog: a long handler is reported with actor and message") {
  troupe::testkit::log_capture log;
  std::atomic<bool> release{false};
  troupe::system sys({.workers = 1, .log = &log});
  const auto h = sys.spawn<hog>({.name = "hog"}, &release);
  REQUIRE(h.tell(hog_it{}) == troupe::send_result::ok);
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (log.count("/hog, handling") == 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(1ms);
  CHECK(log.count("hog_it", troupe::log_level::warning) == 1);
  release = true;
  CHECK(sys.block_on(h.ask(ping{})).value() == 1);
  CHECK(sys.counters().long_handlers == 1);
}

TEST_CASE("watchdog: with two workers, all other actors run while one handler blocks") {
  troupe::testkit::log_capture log;
  std::atomic<bool> release{false};
  troupe::system sys({.workers = 2, .log = &log});
  const auto h = sys.spawn<hog>({}, &release);
  const auto q = sys.spawn<quick>();
  REQUIRE(h.tell(hog_it{}) == troupe::send_result::ok);
  for (int i = 0; i < 200; ++i) REQUIRE(sys.block_on(q.ask(ping{}, 20s)).value() == 2);
  release = true;
  CHECK(sys.block_on(h.ask(ping{})).value() == 1);
}
