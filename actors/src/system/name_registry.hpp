// The registered names of a system's actors.
//
// Each entry has a share of its actor, so that the actor it yields is in memory, and is in a list of that
// actor, so that the actor's end finds its names without a search. An actor that has ended, or is cut off for
// good, has no names: its entries count as free from that moment, not only once they are removed.
#pragma once

#include <troupe/runtime/detail/mutex.hpp>

#include <map>
#include <string>
#include <string_view>

namespace troupe::detail {

class cell;
struct cell_extras;

/// One name; the actor's extras hold the head of its list.
struct registered_name {
  cell* owner;
  const std::string* name;  // the key of the entry
  registered_name* next = nullptr;
  registered_name** at = nullptr;  // the pointer to this one
};

/// Owned by system_core. Any thread.
class name_registry {
 public:
  /// Registers `c`; false when another actor has the name, or `c` has ended. O(log n), as is find().
  bool add(const std::string& name, cell& c);
  /// Removes the names of `c`, which has ended. O(log n) for each; no cost for an actor that never had one.
  void remove_all(cell& c) noexcept;
  /// The actor of that name, shared for the caller, or null.
  [[nodiscard]] cell* find(std::string_view name);

 private:
  using names = std::map<std::string, registered_name, std::less<>>;

  void remove_all(cell& c, cell_extras& x) noexcept;
  void give(cell& c, names::iterator at) noexcept TROUPE_REQUIRES(lock_);
  void take(registered_name& n) noexcept TROUPE_REQUIRES(lock_);

  mutex lock_;  // guards the lists of the actors (cell_extras::names) as well
  names names_ TROUPE_GUARDED_BY(lock_);
};

}  // namespace troupe::detail
