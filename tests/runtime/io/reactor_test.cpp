// A worker's reactor without the worker: the events that end a wait.
#include "support/catch.hpp"

#include <troupe/runtime/reactor.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using troupe::detail::reactor;

namespace {

struct owned_reactor {
  ~owned_reactor() { io.release(); }
  reactor& io = *reactor::make();
};

/// Makes the kernel refuse epoll_pwait2 to this thread, as old container tools do. False when it
/// is not possible.
bool refuse_exact_waits() {
  std::array code{sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                  sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
                  sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                  sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// An event source that counts its events.
class heard final : public troupe::detail::io_source {
 public:
  explicit heard(reactor& io) : io_(io), attached(!io.attach(*this, fd, reactor::interest::reading)) {}
  void on_events(std::uint32_t) noexcept override { ++events; }
  void dispose() noexcept override {}
  void end() {
    io_.detach(fd);
    ::close(fd);
    io_.retire(*this);
  }

 private:
  reactor& io_;

 public:
  int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool attached;
  std::atomic<int> events{0};
};

/// How long the owner of `io` waits when it may wait for a minute.
std::chrono::steady_clock::duration wait_of(reactor& io) {
  const auto before = std::chrono::steady_clock::now();
  io.wait(std::chrono::nanoseconds(6s).count());
  return std::chrono::steady_clock::now() - before;
}

}  // namespace

TEST_CASE("reactor: a wake-up ends the next wait") {
  owned_reactor r;
  r.io.wake();
  CHECK(wait_of(r.io) < 5s);
}

TEST_CASE("reactor: a thread that polls for the owner does not take its wake-up") {
  owned_reactor r;
  r.io.wake();
  std::thread([&] { r.io.poll(); }).join();
  CHECK(wait_of(r.io) < 5s);
}

TEST_CASE("reactor: wake-ups from several threads end a wait, even if others poll meanwhile") {
  owned_reactor r;
  std::atomic<bool> over{false};
  std::thread poller([&] {
    while (!over) r.io.poll();
  });
  bool kept = true;
  for (int i = 0; i < 500 && kept; ++i) {
    std::thread waker([&] { r.io.wake(); });
    kept = wait_of(r.io) < 5s;
    waker.join();
  }
  over = true;
  poller.join();
  CHECK(kept);
}

TEST_CASE("reactor: a wake-up ends one wait only") {
  owned_reactor r;
  for (int i = 0; i < 100; ++i) {
    r.io.wake();
    REQUIRE(wait_of(r.io) < 5s);
  }
  // One more may be left, of a wake() that came in between; then the wait lasts.
  r.io.wait(0);
  const auto before = std::chrono::steady_clock::now();
  r.io.wait(std::chrono::nanoseconds(20ms).count());
  CHECK(std::chrono::steady_clock::now() - before >= 20ms);
}

TEST_CASE(
    "reactor: where exact waits are refused, it sleeps until its deadline and serves its sockets meanwhile") {
  owned_reactor r;
  heard source(r.io);
  REQUIRE(source.attached);
  std::thread([&] {
    if (!refuse_exact_waits()) {
      WARN("no system-call filter here, so nothing is refused");
      return;
    }
    for (int i = 0; i < 2; ++i) {
      const auto before = std::chrono::steady_clock::now();
      r.io.wait(std::chrono::nanoseconds(20ms).count());
      CHECK(std::chrono::steady_clock::now() - before >= 20ms);
    }
    REQUIRE(::eventfd_write(source.fd, 1) == 0);
    CHECK(wait_of(r.io) < 5s);
    CHECK(source.events == 1);
  }).join();
  source.end();
}
