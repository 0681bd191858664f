// The slab allocator under many threads: objects change hands, threads come and go, nothing is lost, doubled
// or leaked. Run under ThreadSanitizer too, where each hand-over through the depot is checked.
#include "support/catch.hpp"

#include <troupe/runtime/detail/slab.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

using troupe::slab_stats;
using troupe::detail::slab_allocate;
using troupe::detail::slab_deallocate;
using troupe::detail::slab_statistics;
using troupe::detail::slab_trim;

// Carries its size and a mark at both ends.
struct parcel {
  std::uint32_t bytes;
  std::uint32_t mark;
};

parcel* make_parcel(std::uint32_t bytes, std::uint32_t mark) {
  auto* const p = static_cast<parcel*>(slab_allocate(bytes));
  *p = {.bytes = bytes, .mark = mark};
  std::memcpy(reinterpret_cast<char*>(p) + bytes - sizeof mark, &mark, sizeof mark);
  return p;
}

// Whether the parcel is as it was made; frees it.
bool unwrap(parcel* p) {
  std::uint32_t end = 0;
  std::memcpy(&end, reinterpret_cast<char*>(p) + p->bytes - sizeof end, sizeof end);
  const bool intact = end == p->mark;
  slab_deallocate(p, p->bytes);
  return intact;
}

}  // namespace

TEST_CASE("slab stress: objects swapped at random between threads that come and go") {
  constexpr int generations = 4;
  constexpr int threads = 4;
  constexpr int swaps = 60'000;
  slab_trim();
  const slab_stats before = slab_statistics();
  static std::array<std::atomic<parcel*>, 4096> shelf{};
  std::atomic<int> damaged{0};

  for (int generation = 0; generation < generations; ++generation) {
    std::vector<std::thread> crew;
    for (int t = 0; t < threads; ++t) {
      crew.emplace_back([&, seed = static_cast<unsigned>(generation * threads + t + 1)] {
        std::minstd_rand random(seed);
        for (int i = 0; i < swaps; ++i) {
          // Mostly one class, so that threads meet in its depot; at times all, and large ones.
          const auto bytes = static_cast<std::uint32_t>(random() % 4 != 0 ? 192 : 16 + random() % 700);
          parcel* const mine = make_parcel(bytes, static_cast<std::uint32_t>(random()));
          parcel* const theirs = shelf[random() % shelf.size()].exchange(mine, std::memory_order_acq_rel);
          if (theirs != nullptr && !unwrap(theirs)) damaged.fetch_add(1);
          if (i % 20'000 == 0) slab_trim();
        }
      });
    }
    for (std::thread& t : crew) t.join();
  }
  for (auto& place : shelf) {
    if (parcel* const p = place.exchange(nullptr); p != nullptr && !unwrap(p)) damaged.fetch_add(1);
  }
  CHECK(damaged.load() == 0);
  slab_trim();
  const slab_stats after = slab_statistics();
  CHECK(after.live_objects == before.live_objects);
  CHECK(after.large_objects == before.large_objects);
  CHECK(after.mapped_bytes <= before.mapped_bytes);
}

TEST_CASE("slab stress: one thread allocates, another frees, and the depot carries all of it") {
  constexpr std::size_t messages = 400'000;
  constexpr std::size_t in_flight = 1024;
  static std::array<std::atomic<parcel*>, in_flight> ring{};
  slab_trim();
  const slab_stats before = slab_statistics();
  std::size_t damaged = 0;
  std::thread consumer([&] {
    for (std::size_t i = 0; i < messages; ++i) {
      auto& place = ring[i % in_flight];
      parcel* p = nullptr;
      while ((p = place.load(std::memory_order_acquire)) == nullptr) std::this_thread::yield();
      if (p->mark != static_cast<std::uint32_t>(i) || !unwrap(p)) ++damaged;
      place.store(nullptr, std::memory_order_release);
    }
  });
  for (std::size_t i = 0; i < messages; ++i) {
    auto& place = ring[i % in_flight];
    while (place.load(std::memory_order_acquire) != nullptr) std::this_thread::yield();
    place.store(make_parcel(192, static_cast<std::uint32_t>(i)), std::memory_order_release);
  }
  consumer.join();
  CHECK(damaged == 0);
  const slab_stats after = slab_statistics();
  CHECK(after.live_objects == before.live_objects);
  CHECK(after.heap_calls == before.heap_calls);
  // Visits fill the queue and the magazines once, and the consumer's exit empties its magazines.
  CHECK(after.chunk_visits - before.chunk_visits <= 2 * (in_flight / 64 + 8));
}

TEST_CASE("slab stress: bursts from several threads at once go back") {
  constexpr std::size_t each = 100'000;
  slab_trim();
  const slab_stats before = slab_statistics();
  std::array<std::vector<parcel*>, 3> held;
  std::vector<std::thread> crew;
  for (auto& mine : held) {
    crew.emplace_back([&mine] {
      for (std::size_t i = 0; i < each; ++i) mine.push_back(make_parcel(128, static_cast<std::uint32_t>(i)));
    });
  }
  for (std::thread& t : crew) t.join();
  CHECK(slab_statistics().live_objects == before.live_objects + held.size() * each);
  crew.clear();
  std::atomic<std::size_t> damaged{0};
  for (std::size_t t = 0; t < held.size(); ++t) {
    crew.emplace_back([&, t] {  // each frees a part of the objects of all
      for (auto& everyones : held) {
        for (std::size_t i = t; i < each; i += held.size()) {
          if (!unwrap(everyones[i])) damaged.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& t : crew) t.join();
  CHECK(damaged.load() == 0);
  CHECK(slab_statistics().live_objects == before.live_objects);
  slab_trim();
  CHECK(slab_statistics().mapped_bytes <= before.mapped_bytes);
}
