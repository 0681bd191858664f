// In steady state a message costs no heap call, be it told, sent, asked, or sent by a timer. Counted twice:
// by the global operator new, which this file replaces for its whole program, and by the slab's own
// statistics. Sanitizers have their own operator new; there only the slab's statistics are used.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/runtime/detail/slab.hpp>
#include <troupe/runtime/sim.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <latch>
#include <malloc.h>
#include <memory>
#include <new>
#include <vector>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TROUPE_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TROUPE_TEST_SANITIZED
#endif
#endif

namespace {
std::atomic<std::uint64_t> heap_calls{0};
}  // namespace

#ifndef TROUPE_TEST_SANITIZED
namespace {
void* count_and_allocate(std::size_t bytes, std::size_t alignment) {
  heap_calls.fetch_add(1, std::memory_order_relaxed);
  void* const p = alignment == 0 ? std::malloc(bytes)
                                 : std::aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(std::size_t bytes) {
  return count_and_allocate(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t a) {
  return count_and_allocate(bytes, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
#endif

namespace {

using namespace std::chrono_literals;

struct add {
  int by;
};
struct get {
  using reply = int;
};
struct go {
  int rounds;
};
struct tick {};

struct counter {
  using accepts = troupe::protocol<add, get>;
  void handle(add m) { sum += m.by; }
  int handle(get) const { return sum; }
  int sum = 0;
};

enum class verb { tell, send, ask };

struct worker {
  using accepts = troupe::protocol<go>;
  worker(troupe::ref<add, get> t, verb v) : to(std::move(t)), how(v) {}
  troupe::task<void> handle(go m) {
    for (int i = 0; i < m.rounds; ++i) {
      switch (how) {
        case verb::tell:
          (void)to.tell(add{1});
          break;
        case verb::send:
          (void)co_await to.send(add{1});
          break;
        case verb::ask:
          (void)co_await to.ask(get{});
          break;
      }
    }
  }
  troupe::ref<add, get> to;
  verb how;
};

struct metronome {
  using accepts = troupe::protocol<tick>;
  explicit metronome(troupe::context& ctx) {
    ctx.every(1ms, tick{});
    ctx.after(1ms, tick{});
  }
  void handle(tick, troupe::context& ctx) {
    if (++ticks % 2 == 0) ctx.after(1ms, tick{});
  }
  int ticks = 0;
};

/// The bytes allocated now, by any allocator; 0 where a sanitizer has replaced the library's.
std::size_t heap_bytes() {
#ifdef TROUPE_TEST_SANITIZED
  return 0;
#else
  return mallinfo2().uordblks;
#endif
}

/// Writes down that it had its turn.
struct in_line {
  using accepts = troupe::protocol<tick>;
  in_line(std::vector<int>* o, int n) : order(o), number(n) {}
  void handle(tick) { order->push_back(number); }
  std::vector<int>* order;
  int number;
};

/// Blocks its worker until it is released.
struct blocker {
  using accepts = troupe::protocol<tick>;
  blocker(std::latch* i, std::latch* g) : inside(i), let_go(g) {}
  void handle(tick) const {
    inside->count_down();
    let_go->wait();
  }
  std::latch* inside;
  std::latch* let_go;
};

/// The cost of `f` after it has run before.
template <class F>
std::uint64_t steady_calls(F f) {
  for (int i = 0; i < 3; ++i) f();
  const auto slab = troupe::detail::slab_statistics().heap_calls;
  const auto before = heap_calls.load();
  f();
  return heap_calls.load() - before + (troupe::detail::slab_statistics().heap_calls - slab);
}

}  // namespace

#ifndef TROUPE_TEST_SANITIZED
TEST_CASE("heap: the count counts") {
  const auto before = heap_calls.load();
  const auto p = std::make_unique<int>(1);
  CHECK(heap_calls.load() == before + 1);
}
#endif

TEST_CASE("heap: tell, send and ask make no call in steady state") {
  for (const auto capacity : {1U, 1024U}) {
    for (const auto how : {verb::tell, verb::send, verb::ask}) {
      troupe::sim::runtime on;
      troupe::system sys(on);
      const auto c = sys.spawn<counter>({.mailbox = {.capacity = capacity}});
      const auto w = sys.spawn<worker>({}, c, how);
      INFO("capacity " << capacity << ", verb " << static_cast<int>(how));
      auto told = troupe::send_result::ok;  // CHECK allocates, so it is asked afterwards
      CHECK(steady_calls([&] {
              if (const auto r = w.tell(go{1000}); r != troupe::send_result::ok) told = r;
              on.run_until_idle();
            }) == 0);
      CHECK(told == troupe::send_result::ok);
    }
  }
}

TEST_CASE("heap: timers make no call in steady state") {
  troupe::sim::runtime on;
  troupe::system sys(on);
  sys.spawn<metronome>();
  CHECK(steady_calls([&] { on.advance(100ms); }) == 0);
}

TEST_CASE("heap: actors woken by another thread all at once run in order, without memory for each") {
  constexpr int many = 5000;
  std::vector<int> order;
  order.reserve(many);
  std::latch inside(1);
  std::latch let_go(1);
  troupe::system sys({.workers = 1, .long_handler = 1h, .log = &troupe::silent_log()});
  std::vector<troupe::ref<tick>> line;
  for (int i = 0; i < many; ++i) line.push_back(sys.spawn<in_line>({}, &order, i));
  const auto b = sys.spawn<blocker>({}, &inside, &let_go);
  REQUIRE(b.tell(tick{}) == troupe::send_result::ok);
  inside.wait();
  const std::size_t before = heap_bytes();
  for (const auto& each : line) REQUIRE(each.tell(tick{}) == troupe::send_result::ok);
  const std::size_t after = heap_bytes();
  let_go.count_down();
  REQUIRE(sys.shutdown());
  CHECK(after <= before + std::size_t{many} * 4);
  REQUIRE(order.size() == many);
  CHECK(std::ranges::is_sorted(order));
}
