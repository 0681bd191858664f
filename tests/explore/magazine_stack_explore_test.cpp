// The stack of full magazines under all interleavings: a magazine belongs to one thread or to the stack.
#include "memory/magazine_stack.hpp"
#include "support/catch.hpp"
#include "support/explorer.hpp"

#include <array>
#include <cstddef>
#include <memory>

namespace explorer = troupe::explorer;

// A magazine, and the mark of its owner, with which a second owner would race.
struct troupe::detail::free_block {
  explorer::var<int> filled{0};
};

namespace {

using troupe::detail::free_block;
using troupe::detail::magazine_stack;

struct model {
  magazine_stack stack;
  std::array<free_block, 2> magazines;

  void give(free_block& m) {
    m.filled.write(m.filled.read() + 1);
    explorer::require(stack.push(&m), "there is room");
  }
  void take_and_give_back() {
    if (free_block* const m = stack.pop()) give(*m);
  }
};

}  // namespace

// The sequence of an ABA: one thread reads the top; another takes both magazines and gives back the first;
// then the first thread takes the top.
TEST_CASE("magazine stack explored: a magazine is taken by one thread, also when it leaves and comes back") {
  const auto r = explorer::explore(
      {.name = "magazine stack",
       .preemptions = 3,
       .weak_effects = 1,
       .max_schedules = 60'000,
       .random_schedules = 2'000},
      [](explorer::execution& e) {
        auto s = std::make_shared<model>();
        e.thread([s] {
          s->give(s->magazines[0]);
          s->give(s->magazines[1]);
          s->take_and_give_back();
        });
        e.thread([s] {
          free_block* const first = s->stack.pop();
          free_block* const second = s->stack.pop();
          explorer::require(first == nullptr || first != second, "a magazine is taken once");
          if (first != nullptr) s->give(*first);
          if (second != nullptr) s->give(*second);
        });
        e.finally([s] {
          free_block* const one = s->stack.pop();
          free_block* const other = s->stack.pop();
          explorer::require(one != nullptr && other != nullptr && one != other, "nothing is lost");
          explorer::require(s->stack.pop() == nullptr && s->stack.size() == 0, "nothing is left");
        });
      });
  INFO(r.report);
  CHECK(r.ok);
}

TEST_CASE("magazine stack: last in, first out, up to its capacity") {
  magazine_stack stack;
  std::array<free_block, magazine_stack::capacity + 1> magazines;
  for (std::size_t i = 0; i < magazine_stack::capacity; ++i) REQUIRE(stack.push(&magazines[i]));
  CHECK_FALSE(stack.push(&magazines.back()));
  CHECK(stack.size() == magazine_stack::capacity);
  for (std::size_t i = magazine_stack::capacity; i-- > 0;) REQUIRE(stack.pop() == &magazines[i]);
  CHECK(stack.pop() == nullptr);
}
