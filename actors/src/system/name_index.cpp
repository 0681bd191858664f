// The named children of an actor by name. Under the lock of the parent.
#include "system/name_index.hpp"

#include "cell/extras.hpp"

#include <functional>

namespace troupe::detail {

namespace {

constexpr std::size_t first_buckets = 8;

// A child in the index has extras, because its name is in them.
cell*& next_of(cell& c) noexcept {
  return c.extras_if_any()->next_named;
}
std::string_view name_of(const cell& c) noexcept {
  return c.extras_if_any()->name;
}

}  // namespace

std::size_t name_index::bucket_of(std::string_view name) const noexcept {
  return std::hash<std::string_view>{}(name) % buckets_.size();
}

cell* name_index::find(std::string_view name) const noexcept {
  if (buckets_.empty()) return nullptr;
  cell* c = buckets_[bucket_of(name)];
  while (c != nullptr && (c->box().dead() || name_of(*c) != name)) c = next_of(*c);
  return c;
}

void name_index::push(cell& child) noexcept {
  cell*& first = buckets_[bucket_of(name_of(child))];
  next_of(child) = first;
  first = &child;
}

void name_index::add(cell& child) noexcept {
  push(child);
  ++count_;
}

void name_index::remove(cell& child) noexcept {
  if (buckets_.empty()) return;
  cell** at = &buckets_[bucket_of(name_of(child))];
  while (*at != nullptr && *at != &child) at = &next_of(**at);
  if (*at == nullptr) return;
  *at = next_of(child);
  next_of(child) = nullptr;
  --count_;
}

std::size_t name_index::wanted_buckets() const noexcept {
  if (count_ < buckets_.size()) return 0;
  return buckets_.empty() ? first_buckets : 2 * buckets_.size();
}

void name_index::rehash(std::vector<cell*>& fresh) noexcept {
  if (fresh.size() <= buckets_.size()) return;
  buckets_.swap(fresh);
  for (cell* c : fresh) {
    while (c != nullptr) {
      cell* const next = next_of(*c);
      push(*c);
      c = next;
    }
  }
}

}  // namespace troupe::detail
