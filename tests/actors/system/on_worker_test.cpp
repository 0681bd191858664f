// Functions that block until actors end are for other threads, and are refused at once on a worker.
#include "actors/cell/hanging.hpp"

#include <array>
#include <optional>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace actors_test;
using troupe::errc;
using troupe::testkit::log_capture;

namespace {

enum class call { start, run, shutdown, request_shutdown };

struct try_it {
  using reply = int;
  call what;
};

/// Answers with the code of the refusal; 0: not refused.
struct caller {
  using accepts = troupe::protocol<try_it>;
  int handle(try_it m, troupe::context& ctx) {
    const auto tree = troupe::supervisor("app").child<counter>("c");
    switch (m.what) {
      case call::start: {
        const auto begun = ctx.system().start(tree);
        return begun ? 0 : begun.error().code().value();
      }
      case call::run:
        return ctx.system().run(tree);
      case call::shutdown: {
        const auto down = ctx.system().shutdown();
        return down ? 0 : down.error().code().value();
      }
      case call::request_shutdown:
        ctx.system().request_shutdown();
        break;
    }
    return 0;
  }
};

constexpr int refused = static_cast<int>(errc::on_worker);

void try_all(troupe::system& sys, const log_capture& log) {
  const auto c = sys.spawn<caller>({.name = "c"});
  CHECK(sys.block_on(c.ask(try_it{call::start})) == refused);
  CHECK(sys.block_on(c.ask(try_it{call::shutdown})) == refused);
  CHECK(sys.block_on(c.ask(try_it{call::run})) == 1);
  CHECK(log.count("could not be started") == 1);
  CHECK_FALSE(sys.supervisor_at("/app"));
  CHECK_FALSE(c.ended());
  (void)c.tell(try_it{call::request_shutdown});
}

}  // namespace

TEST_CASE("on a worker, start, run and shutdown refuse, and request_shutdown does not wait") {
  for_each_seed(seeds, [](std::uint64_t seed) {
    test_system b({.seed = seed});
    try_all(b.sys, b.log);
    b.run();
    CHECK(b.sys.inspect().state == troupe::actor_state::ended);
    CHECK(b.sys.shutdown());
  });
}

TEST_CASE("on a worker, the same on threads and on the calling thread") {
  for (const bool current_thread : {false, true}) {
    log_capture log;
    troupe::system sys({.workers = 1, .current_thread = current_thread, .log = &log});
    try_all(sys, log);
    if (!current_thread) {
      REQUIRE(becomes_true([&] { return sys.inspect().state == troupe::actor_state::ended; }));
    }
    CHECK(sys.shutdown());
  }
}

TEST_CASE("on a worker, request_shutdown ends a run()") {
  log_capture log;
  troupe::system sys({.workers = 1, .log = &log});
  struct ender {
    using accepts = troupe::protocol<>;
    void started(troupe::context& ctx) { ctx.system().request_shutdown(); }
  };
  CHECK(sys.run(troupe::supervisor("app").child<counter>("c").child<ender>("e")) == 0);
  CHECK(sys.shutdown());
}

TEST_CASE("on a worker, the system that is destroyed there ends the process with a line in the log") {
  struct destroyer {
    using accepts = troupe::protocol<std::unique_ptr<troupe::system>*>;
    void handle(std::unique_ptr<troupe::system>* s) { s->reset(); }
  };
  std::array<int, 2> log{};
  REQUIRE(::pipe(log.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child != -1);
  if (child == 0) {
    ::dup2(log[1], STDERR_FILENO);  // stderr_log() writes there
    ::signal(SIGABRT, SIG_DFL);
    ::alarm(60);
    auto sys = std::make_unique<troupe::system>(troupe::system_options{.workers = 1});
    (void)sys->spawn<destroyer>().tell(&sys);
    for (;;) ::pause();
  }
  ::close(log[1]);
  std::string text;
  std::array<char, 256> part{};
  for (ssize_t n = 0; (n = ::read(log[0], part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(log[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  INFO(text);
  CHECK(text.find("destroyed by one of its own actors") != std::string::npos);
}
