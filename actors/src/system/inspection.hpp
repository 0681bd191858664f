// Reads the cells of a tree for inspect(), and walks the result.
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/inspect.hpp>

namespace troupe::detail {

struct inspection {
  /// A snapshot of `c` and its descendants. Any thread. O(actors), without recursion.
  static actor_info look(cell& c);

 private:
  struct visit;
  static void read(cell& c, const actor_info* above, actor_info& into);
};

/// Calls `f` with each actor of a tree, parents first, in order. May throw std::bad_alloc.
template <class F>
void for_each_actor(const actor_info& tree, F f) {
  std::vector<const actor_info*> todo{&tree};
  while (!todo.empty()) {
    const actor_info& a = *todo.back();
    todo.pop_back();
    f(a);
    for (auto at = a.children.rbegin(); at != a.children.rend(); ++at) todo.push_back(&*at);
  }
}

}  // namespace troupe::detail
