// The overflow list of workers' rings, also when no memory is available.
#include "scheduler/overflow_list.hpp"

#include "support/catch.hpp"

#include <deque>
#include <set>

using troupe::detail::batch_list;
using troupe::detail::runnable;

namespace {

template <class T>
struct no_memory {
  using value_type = T;
  [[noreturn]] T* allocate(std::size_t) { throw std::bad_alloc(); }
  void deallocate(T*, std::size_t) noexcept {}
  friend bool operator==(const no_memory&, const no_memory&) noexcept { return true; }
};

// Pushes batches of 3, pops them all, and returns how many different runnables came out.
template <class List>
std::size_t through(List& list, std::size_t batches) {
  std::deque<runnable> all;
  for (std::size_t i = 0; i < batches; ++i) {
    runnable* first = nullptr;
    for (int n = 0; n < 3; ++n) {
      all.emplace_back(nullptr).next_runnable = first;
      first = &all.back();
    }
    list.push(*first, 3);
  }
  std::set<const runnable*> seen;
  std::size_t size = 0;
  while (const runnable* r = list.pop(size)) {
    for (; size > 0; --size, r = r->next_runnable) seen.insert(r);
    if (r != nullptr) return 0;  // the size says where a batch ends, and so does its last link
  }
  return seen.size();
}

}  // namespace

TEST_CASE("overflow list: everything comes out again, from few batches or many") {
  batch_list<std::allocator> list;
  CHECK(through(list, 5) == 15);
  CHECK(through(list, 1'000) == 3'000);
}

TEST_CASE("overflow list: everything comes out again when no memory is available") {
  batch_list<no_memory> list;
  CHECK(through(list, 1'000) == 3'000);
  CHECK(through(list, 1'000) == 3'000);
}
