// The slab allocator: against a model, in steady state, after bursts, and at the ends of threads and of the
// process.
#include "support/catch.hpp"

#include <troupe/runtime/detail/slab.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_TEST_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_TEST_ASAN 1
#endif
#endif
#ifdef TROUPE_TEST_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace {

using troupe::slab_stats;
using troupe::detail::slab_allocate;
using troupe::detail::slab_deallocate;
using troupe::detail::slab_delete;
using troupe::detail::slab_new;
using troupe::detail::slab_statistics;
using troupe::detail::slab_trim;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

slab_stats trimmed_statistics() {
  slab_trim();
  return slab_statistics();
}

// An object whose bytes all follow from its seed, so that a write by a neighbour is found.
struct filled {
  unsigned char* memory;
  std::size_t bytes;
  unsigned char seed;

  filled(std::size_t size, unsigned char s)
      : memory(static_cast<unsigned char*>(slab_allocate(size))), bytes(size), seed(s) {
    std::memset(memory, seed, bytes);
  }

  [[nodiscard]] bool intact() const {
    return std::all_of(memory, memory + bytes, [&](unsigned char c) { return c == seed; });
  }

  void free() const { slab_deallocate(memory, bytes); }
};

// Runs `f` in a child process; whether the child was ended for it, with `complaint` on its stderr.
template <class F>
bool dies(F f, const std::string& complaint) {
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);  // Catch2 would report the abort as its own failure
    f();
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(pipe_ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return !ended_well && said.find(complaint) != std::string::npos;
}

}  // namespace

TEST_CASE("slab: every size is aligned to 16 and can be written to its last byte") {
  std::vector<filled> objects;
  for (std::size_t bytes = 0; bytes <= 1100; ++bytes) {
    objects.emplace_back(bytes, static_cast<unsigned char>(bytes));
    REQUIRE(reinterpret_cast<std::uintptr_t>(objects.back().memory) % 16 == 0);
  }
  CHECK(std::all_of(objects.begin(), objects.end(), [](const filled& o) { return o.intact(); }));
  for (const filled& o : objects) o.free();
}

TEST_CASE("slab: sizes that are a multiple of a cache line start at one") {
  for (const std::size_t bytes : {64U, 128U, 192U, 256U, 320U, 384U, 448U, 512U}) {
    void* const p = slab_allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(p) % 64 == 0);
    slab_deallocate(p, bytes);
  }
}

TEST_CASE("slab: freeing null does nothing") {
  slab_deallocate(nullptr, 8);
  slab_deallocate(nullptr, 8000);
  slab_delete<int>(nullptr);
  SUCCEED();
}

TEST_CASE("slab: objects never overlap and the statistics agree with a model") {
  CHECK(rc::check("allocate and free in any order", [] {
    const slab_stats before = slab_statistics();
    std::vector<filled> live;
    std::size_t large = 0;
    std::uint64_t large_ever = 0;
    const auto free_at = [&](std::size_t i) {
      RC_ASSERT(live[i].intact());
      live[i].free();
      if (live[i].bytes > 512) --large;
      live[i] = live.back();
      live.pop_back();
    };
    // Favours few sizes, so that magazines fill and empty; runs, so that they overflow.
    const auto sizes = *rc::gen::container<std::vector<std::size_t>>(
        4, rc::gen::weightedOneOf<std::size_t>(
               {{8, rc::gen::inRange<std::size_t>(0, 513)}, {1, rc::gen::inRange<std::size_t>(513, 5000)}}));
    const int rounds = *rc::gen::inRange(1, 20);
    for (int round = 0; round < rounds; ++round) {
      const int run = *rc::gen::inRange(1, 300);
      if (*rc::gen::arbitrary<bool>()) {
        const std::size_t bytes = *rc::gen::elementOf(sizes);
        for (int i = 0; i < run; ++i) {
          live.emplace_back(bytes, static_cast<unsigned char>(round * 31 + i));
          if (bytes > 512) ++large, ++large_ever;
        }
      } else {
        const auto stride = *rc::gen::inRange<std::size_t>(1, 1000);
        for (int i = 0; i < run && !live.empty(); ++i) {
          free_at(static_cast<std::size_t>(i) * stride % live.size());
        }
      }
      if (*rc::gen::weightedElement<bool>({{5, false}, {1, true}})) slab_trim();
      const slab_stats now = slab_statistics();
      RC_ASSERT(now.live_objects == before.live_objects + live.size() - large);
      RC_ASSERT(now.large_objects == before.large_objects + large);
      RC_ASSERT(now.heap_calls == before.heap_calls + large_ever);
      RC_ASSERT(now.mapped_bytes >= now.chunks * 64 * kib);
    }
    while (!live.empty()) free_at(live.size() - 1);
    RC_ASSERT(slab_statistics().live_objects == before.live_objects);
  }));
}

TEST_CASE("slab: in steady state neither the heap nor a chunk is visited") {
  const auto swing = [](std::size_t bytes, std::size_t depth) {
    std::vector<void*> held(depth);
    for (int i = 0; i < 200; ++i) {
      for (void*& p : held) p = slab_allocate(bytes);
      for (void* const p : held) slab_deallocate(p, bytes);
    }
  };
  for (const std::size_t depth : {1U, 100U, 1000U}) {
    swing(192, depth);
    swing(512, depth / 2);
    const slab_stats before = slab_statistics();
    swing(192, depth);
    swing(512, depth / 2);
    const slab_stats after = slab_statistics();
    CHECK(after.chunk_visits == before.chunk_visits);
    CHECK(after.heap_calls == before.heap_calls);
    CHECK(after.mapped_bytes == before.mapped_bytes);
  }
}

TEST_CASE("slab: many objects take hardly more memory than their size") {
  constexpr std::size_t many = 100'000;
  const std::size_t size = GENERATE(16U, 64U, 192U, 256U, 512U);
  const slab_stats before = trimmed_statistics();
  std::vector<void*> objects(many);
  for (void*& p : objects) p = slab_allocate(size);
  const std::size_t grown = slab_statistics().mapped_bytes - before.mapped_bytes;
  CHECK(grown <= many * size * 102 / 100 + 64 * kib);
  for (void* const p : objects) slab_deallocate(p, size);
}

TEST_CASE("slab: a burst's memory goes back") {
  constexpr std::size_t many = 1'000'000;
  constexpr std::size_t size = 192;
  const slab_stats before = trimmed_statistics();
  std::vector<void*> objects(many);
  for (void*& p : objects) p = slab_allocate(size);
  CHECK(slab_statistics().mapped_bytes - before.mapped_bytes > many * size);
  const auto free_all = [&] {
    for (void* const p : objects) slab_deallocate(p, size);
  };

  // The reserve is 1 MiB and the depot keeps less than that.
  SECTION("freed in the order of allocation") {
    free_all();
    CHECK(slab_statistics().mapped_bytes <= before.mapped_bytes + 2 * mib);
  }
  SECTION("freed in the reverse order") {
    std::reverse(objects.begin(), objects.end());
    free_all();
    CHECK(slab_statistics().mapped_bytes <= before.mapped_bytes + 2 * mib);
  }
  SECTION("freed by another thread, which ends") {
    std::thread(free_all).join();
    CHECK(slab_statistics().mapped_bytes <= before.mapped_bytes + 2 * mib);
  }
  SECTION("freed at random: only objects in this thread's magazines may hold a chunk") {
    std::shuffle(objects.begin(), objects.end(), std::minstd_rand(7));
    free_all();
    CHECK(slab_statistics().mapped_bytes <= before.mapped_bytes + 2 * mib + 2 * 64 * 64 * kib);
  }
  const slab_stats after = trimmed_statistics();
  CHECK(after.mapped_bytes <= before.mapped_bytes);
  CHECK(after.chunks <= before.chunks);
  CHECK(after.live_objects == before.live_objects);
}

TEST_CASE("slab: chunks with room are used before new ones") {
  constexpr std::size_t many = 20'000;
  std::vector<void*> objects(many);
  for (void*& p : objects) p = slab_allocate(256);
  for (std::size_t i = 0; i < many; i += 2) slab_deallocate(objects[i], 256);
  slab_trim();
  const slab_stats holes = slab_statistics();
  for (std::size_t i = 0; i < many; i += 2) objects[i] = slab_allocate(256);
  CHECK(slab_statistics().chunks <= holes.chunks + 1);
  CHECK(std::set<void*>(objects.begin(), objects.end()).size() == many);
  for (void* const p : objects) slab_deallocate(p, 256);
}

TEST_CASE("slab: a thread that ends leaves no memory behind, and its objects live on") {
  const slab_stats before = trimmed_statistics();
  std::vector<filled> objects;
  std::thread([&] {
    for (std::size_t i = 0; i < 1000; ++i) objects.emplace_back(i % 600, static_cast<unsigned char>(i));
    for (std::size_t i = 500; i < 1000; ++i) objects[i].free();
    objects.erase(objects.begin() + 500, objects.end());
  }).join();
  CHECK(std::all_of(objects.begin(), objects.end(), [](const filled& o) { return o.intact(); }));
  CHECK(slab_statistics().live_objects == before.live_objects + 500);
  for (const filled& o : objects) o.free();
  const slab_stats after = trimmed_statistics();
  CHECK(after.live_objects == before.live_objects);
  CHECK(after.large_objects == before.large_objects);
  CHECK(after.mapped_bytes == before.mapped_bytes);
}

namespace {

// Made before the thread's first allocation, so destroyed after its magazines have gone.
struct late {
  filled* kept = nullptr;
  bool intact = false;
  ~late() {
    if (kept == nullptr) return;
    const filled another(200, 9);
    const filled large(2000, 11);
    intact = kept->intact() && another.intact() && large.intact();
    kept->free();
    another.free();
    large.free();
    if (!intact) std::abort();
    delete kept;
  }
};

char key_is_set;

late at_process_end;  // the main thread's magazines go before static objects do

}  // namespace

TEST_CASE("slab: destructors of thread-local and static objects may still allocate and free") {
  if (at_process_end.kept == nullptr) at_process_end.kept = new filled(100, 5);
  const slab_stats before = slab_statistics();
  std::thread([] {
    static thread_local late at_thread_end;
    at_thread_end.kept = new filled(100, 7);
  }).join();
  const slab_stats after = slab_statistics();
  CHECK(after.live_objects == before.live_objects);
  CHECK(after.large_objects == before.large_objects);
  CHECK(after.heap_calls == before.heap_calls + 1);
}

TEST_CASE("slab: a thread may use it for the first time in the last of its destructors") {
  const slab_stats before = slab_statistics();
  pthread_key_t key{};
  REQUIRE(pthread_key_create(&key, [](void*) {
            const filled small(64, 3);
            const filled large(2000, 4);
            small.free();
            large.free();
          }) == 0);
  for (int i = 0; i < 20; ++i) {
    std::thread([key] { pthread_setspecific(key, &key_is_set); }).join();
  }
  pthread_key_delete(key);
  const slab_stats after = slab_statistics();  // of the threads there are
  CHECK(after.live_objects == before.live_objects);
  CHECK(after.large_objects == before.large_objects);
  CHECK(after.heap_calls == before.heap_calls + 20);
}

TEST_CASE("slab: statistics are asked for while threads begin and end") {
  const slab_stats before = slab_statistics();
  std::atomic<bool> over{false};
  std::thread asks([&over] {
    while (!over) (void)slab_statistics();  // an estimate, while others are inside
  });
  for (int i = 0; i < 200; ++i) {
    std::thread([] { filled(64, 3).free(); }).join();
  }
  over = true;
  asks.join();
  CHECK(slab_statistics().live_objects == before.live_objects);
}

TEST_CASE("slab_new and slab_delete: construct, destroy, and free when the constructor throws") {
  const slab_stats before = slab_statistics();
  auto* const text = slab_new<std::string>(std::size_t{100}, 'x');
  CHECK(text->size() == 100);
  CHECK(slab_statistics().live_objects == before.live_objects + 1);
  slab_delete(text);

  struct refuses {
    explicit refuses(int why) { throw std::invalid_argument(std::to_string(why)); }
  };
  CHECK_THROWS_AS(slab_new<refuses>(1), std::invalid_argument);
  CHECK(slab_statistics().live_objects == before.live_objects);
}

TEST_CASE("slab: an object freed twice, or with another size, ends the program with a reason") {
#ifdef TROUPE_TEST_ASAN
  CHECK(dies(
      [] {
        void* const p = slab_allocate(64);
        slab_deallocate(p, 64);
        slab_deallocate(p, 64);
      },
      "use-after-poison"));
#else
  CHECK(dies(
      [] {
        void* const p = slab_allocate(64);
        void* const keeps_the_chunk = slab_allocate(64);
        slab_deallocate(p, 64);
        slab_trim();
        slab_deallocate(p, 64);
        slab_trim();
        slab_deallocate(keeps_the_chunk, 64);
      },
      "was freed twice"));
#endif
  CHECK(dies(
      [] {
        void* const p = slab_allocate(256);
        slab_deallocate(p, 64);
        slab_trim();
      },
      "was freed with another size"));
}

#ifdef TROUPE_TEST_ASAN
TEST_CASE("slab: AddressSanitizer sees use after free and writes past the end") {
  auto* const p = static_cast<char*>(slab_allocate(100));
  CHECK(__asan_region_is_poisoned(p, 100) == nullptr);
  CHECK(__asan_address_is_poisoned(p + 100) != 0);
  slab_deallocate(p, 100);
  CHECK(__asan_address_is_poisoned(p) != 0);
  CHECK(__asan_address_is_poisoned(p + 99) != 0);
}
#endif
