// A system on the thread that waits for it.
#include "actors/common.hpp"

#include <atomic>
#include <signal.h>
#include <thread>
#include <unistd.h>

using namespace actors_test;
using troupe::errc;

namespace {

struct whose_thread {
  using reply = std::thread::id;
};

struct local {
  using accepts = troupe::protocol<whose_thread>;
  std::thread::id handle(whose_thread) const { return std::this_thread::get_id(); }
};

/// Raises SIGTERM once it is up.
struct terminator {
  using accepts = troupe::protocol<>;
  void started(troupe::context&) { ::kill(::getpid(), SIGTERM); }
};

/// Says that it is up, and ends the tree when it is told to.
struct stoppable {
  using accepts = troupe::protocol<add, get>;
  explicit stoppable(std::atomic<bool>* up) : up_(up) {}
  void started(troupe::context&) {
    *up_ = true;
    up_->notify_all();
  }
  void handle(add, troupe::context& ctx) { ctx.system().stop(*ctx.system().at<>("/app")); }
  int handle(get) const { return 3; }
  std::atomic<bool>* up_;
};

struct refuses_to_start {
  using accepts = troupe::protocol<>;
  refuses_to_start() { throw std::runtime_error("no disk"); }
};

troupe::system_options here(troupe::testkit::log_capture& log) {
  return {.current_thread = true, .name = "here", .log = &log};
}

}  // namespace

TEST_CASE("current_thread: an actor handles messages on the thread that asks") {
  troupe::testkit::log_capture log;
  troupe::system sys(here(log));
  const auto a = sys.spawn<local>();
  CHECK(sys.block_on(a.ask(whose_thread{})).value() == std::this_thread::get_id());
  CHECK(sys.shutdown());
}

TEST_CASE("current_thread: run() ends in order on SIGTERM") {
  troupe::testkit::log_capture log;
  troupe::system sys(here(log));
  CHECK(sys.run(troupe::supervisor("app").child<counter>("c").child<terminator>("t")) == 0);
  CHECK(log.count("SIGTERM: stopping") == 1);
}

TEST_CASE("current_thread: while one thread is in run() another one asks, and stops the tree") {
  for (int round = 0; round < 50; ++round) {
    troupe::testkit::log_capture log;
    std::atomic<bool> up{false};
    troupe::system sys(here(log));
    int answer = 0;
    send_result told = send_result::closed;
    std::thread other([&] {
      up.wait(false);
      const auto a = sys.at<add, get>("/app/a").value();
      answer = sys.block_on(a.ask(get{})).value();
      told = a.tell(add{1});
    });
    CHECK(sys.run(troupe::supervisor("app").child<stoppable>("a", {}, &up)) == 0);
    other.join();
    CHECK(answer == 3);
    CHECK(told == send_result::ok);
  }
}

TEST_CASE("current_thread: a tree that cannot start says why") {
  troupe::testkit::log_capture log;
  troupe::system sys(here(log));
  const auto tree = troupe::supervisor("app").child<counter>("c").child<refuses_to_start>("r");
  const auto started = sys.start(tree);
  REQUIRE_FALSE(started);
  CHECK(started.error().to_string().find("no disk") != std::string::npos);
  CHECK(sys.run(tree) == 1);
  CHECK(log.count("the tree could not be started") == 1);
}
