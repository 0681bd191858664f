// Slices that the watchdog takes for stuck, sockets in use, and requests from outside at random moments, for
// TROUPE_SOAK_SECONDS (2): each request wakes a worker, even if the watchdog polls that worker's sockets
// meanwhile.
#include "support/catch.hpp"

#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/runtime.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

std::chrono::seconds soak_time() {
  const char* const wanted = std::getenv("TROUPE_SOAK_SECONDS");
  return std::chrono::seconds(wanted != nullptr ? std::max(1, std::atoi(wanted)) : 2);
}

/// A descriptor in a reactor's set on which nothing ever happens.
class silent_source final : public troupe::detail::io_source {
 public:
  explicit silent_source(troupe::detail::reactor& io) : io_(io) {
    attached = !io_.attach(*this, fd_, troupe::detail::reactor::interest::reading);
  }
  void on_events(std::uint32_t) noexcept override {}
  void dispose() noexcept override { delete this; }
  void end() {
    io_.detach(fd_);
    ::close(fd_);
    io_.retire(*this);
  }
  bool attached = false;

 private:
  troupe::detail::reactor& io_;
  int fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

troupe::task<void> spin(std::chrono::microseconds for_so_long) {
  const auto until = steady::now() + for_so_long;
  while (steady::now() < until) {
  }
  co_return;
}

}  // namespace

TEST_CASE("wake-up soak: a request from outside is never left waiting") {
  troupe::runtime on({.workers = 2});
  std::vector<silent_source*> sources;
  for (auto& w : on.engine().workers()) {
    sources.push_back(new silent_source(w->io));
    REQUIRE(sources.back()->attached);
  }
  std::mt19937 random(1);
  std::uniform_int_distribution<int> pause_us(0, 2000);
  steady::duration slowest{};
  int requests = 0;
  const auto end = steady::now() + soak_time();
  while (steady::now() < end) {
    const auto before = steady::now();
    REQUIRE(on.block_on(spin(1200us)).has_value());
    slowest = std::max(slowest, steady::now() - before);
    ++requests;
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us(random)));
  }
  for (silent_source* const s : sources) s->end();
  WARN(requests << " requests, the slowest took "
                << std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count() << " ms");
  CHECK(slowest < 10s);  // a lost one would take forever
}
