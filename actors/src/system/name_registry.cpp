// Registering, finding and freeing names. Any thread.
#include "system/name_registry.hpp"

#include "cell/extras.hpp"

#include <troupe/actors/detail/cell.hpp>

namespace troupe::detail {

namespace {

bool is_gone(const cell& c) noexcept {
  return c.box().dead() || cell::was_quarantined(c);
}

}  // namespace

void name_registry::give(cell& c, names::iterator at) noexcept {
  c.share();
  registered_name*& first = c.extras_if_any()->names;
  registered_name& n = at->second;
  n = {&c, &at->first, first, &first};
  if (first != nullptr) first->at = &n.next;
  first = &n;
}

// Takes the entry out of its actor's list. The entry's share of the actor passes to the caller.
void name_registry::take(registered_name& n) noexcept {
  *n.at = n.next;
  if (n.next != nullptr) n.next->at = n.at;
}

bool name_registry::add(const std::string& name, cell& c) {
  cell_extras& x = c.extras();
  cell* former = nullptr;
  {
    const scoped_lock guard(lock_);
    // Sequentially consistent, as is the death of the mailbox: either is_gone() sees that the actor has
    // ended, or its end sees that it has a name.
    x.has_names.store(true, std::memory_order_seq_cst);
    if (is_gone(c)) return false;
    const auto [at, fresh] = names_.try_emplace(name);
    if (!fresh) {
      if (at->second.owner == &c) return true;
      if (!is_gone(*at->second.owner)) return false;
      former = at->second.owner;
      take(at->second);
    }
    give(c, at);
  }
  if (former != nullptr) former->release();
  return true;
}

void name_registry::remove_all(cell& c) noexcept {
  cell_extras* const x = c.extras_in_order();
  if (x != nullptr && x->has_names.load(std::memory_order_seq_cst)) [[unlikely]]
    remove_all(c, *x);
}

void name_registry::remove_all(cell& c, cell_extras& x) noexcept {
  names removed;  // freed without the lock
  std::uint32_t n = 0;
  {
    const scoped_lock guard(lock_);
    while (registered_name* const first = x.names) {
      const std::string* const name = first->name;
      take(*first);
      removed.insert(names_.extract(*name));
      ++n;
    }
  }
  if (n != 0) c.release_many(n);  // the caller has one more
}

cell* name_registry::find(std::string_view name) {
  const scoped_lock guard(lock_);
  const auto at = names_.find(name);
  if (at == names_.end() || is_gone(*at->second.owner)) return nullptr;
  at->second.owner->share();
  return at->second.owner;
}

}  // namespace troupe::detail
