// The list of a cell's children: it agrees with a reference model under any sequence of operations.
#include "support/catch.hpp"

#include <troupe/actors/detail/child_list.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

using troupe::detail::child_links;
using troupe::detail::child_list;

namespace {

struct child {
  child_links<child> links;
};

// Youngest first by one kind of link, and checked by the other.
std::vector<const child*> contents(const child_list<child>& list) {
  std::vector<const child*> all;
  const child* younger = nullptr;
  for (const child* c = list.youngest(); c != nullptr; c = c->links.older) {
    RC_ASSERT(c->links.younger == younger);
    all.push_back(c);
    younger = c;
  }
  return all;
}

}  // namespace

TEST_CASE("child_list: agrees with a vector when children are added, removed and placed") {
  CHECK(rc::check("in any order", [] {
    std::array<child, 6> all;
    child_list<child> list;
    std::vector<const child*> model;
    for (int step = 0; step < 60; ++step) {
      child& c = all[*rc::gen::inRange<std::size_t>(0, all.size())];
      const auto at = std::find(model.begin(), model.end(), &c);
      const bool in = at != model.end();
      RC_ASSERT(list.still_has(c) == in);
      const auto what = *rc::gen::inRange(0, 3);
      if (!in) {
        list.add(c);
        model.insert(model.begin(), &c);
      } else if (what == 0) {
        list.remove(c);
        model.erase(at);
        list.remove(c);  // once more is harmless
      } else {
        child* const older = &all[*rc::gen::inRange<std::size_t>(0, all.size())];
        const bool last = what == 1 || older == &c || !list.still_has(*older);
        list.place(c, last ? nullptr : older);
        model.erase(at);
        model.insert(last ? model.end() : std::find(model.begin(), model.end(), older), &c);
      }
      RC_ASSERT(contents(list) == model);
      RC_ASSERT(list.empty() == model.empty());
    }
  }));
}
