// An actor that blocks for good where that is allowed: in blocking().
#include "support/becomes_true.hpp"
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>

#include <atomic>

using namespace std::chrono_literals;
using troupe_test::becomes_true;

namespace {

struct go {};
struct caller {
  using accepts = troupe::protocol<go>;
  troupe::task<void> handle(go) {
    co_await troupe::blocking([this_one = where] {
      ++this_one->inside;
      (void)becomes_true([this_one] { return this_one->open.load(); });
      --this_one->inside;
    });
  }
  struct place {
    std::atomic<bool> open{false};
    std::atomic<int> inside{0};
  };
  explicit caller(place* p) : where(p) {}
  place* where;
};

}  // namespace

TEST_CASE("blocking: what an actor called that does not return is reported with the actor's path") {
  caller::place place;
  troupe::testkit::log_capture log;
  {
    troupe::runtime rt({.workers = 1, .shutdown = 50ms, .log = &log});
    troupe::system sys(rt);
    REQUIRE(sys.spawn<caller>({.name = "caller"}, &place).tell(go{}) == troupe::send_result::ok);
    REQUIRE(becomes_true([&] { return place.inside == 1; }));
    CHECK(sys.shutdown());  // its await ends at once
  }
  CHECK(log.count("/caller: what it called by blocking() did not return") == 1);
  place.open = true;
  CHECK(becomes_true([&] { return place.inside == 0; }));
}

TEST_CASE("blocking: a system's own runtime waits for no call for longer than the system would") {
  caller::place place;
  troupe::testkit::log_capture log;
  {
    troupe::system sys({.workers = 1, .shutdown = 50ms, .log = &log});
    CHECK(sys.runtime().engine().options().shutdown == 50ms);
    REQUIRE(sys.spawn<caller>({.name = "caller"}, &place).tell(go{}) == troupe::send_result::ok);
    REQUIRE(becomes_true([&] { return place.inside == 1; }));
  }
  CHECK(log.count("/caller: what it called by blocking() did not return") == 1);
  place.open = true;
  CHECK(becomes_true([&] { return place.inside == 0; }));
}
