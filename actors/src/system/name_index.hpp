// The named children of an actor by name: a hash table whose chains run through the children's extras, so
// that adding and removing one never allocates, and may be done under a spinlock.
//
// Owned by the parent's extras; every call but the constructor is under the parent's lock.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace troupe::detail {

class cell;

class name_index {
 public:
  /// The child of this name that has not ended, or null. O(1) on average.
  [[nodiscard]] cell* find(std::string_view name) const noexcept;
  /// Adds `child`, which has a name. An ended child of the same name may still be in the index. There must be
  /// at least one bucket.
  void add(cell& child) noexcept;
  /// Removes `child`; harmless when it is not in the index.
  void remove(cell& child) noexcept;

  /// How many buckets the next add() should have; 0: there are enough.
  [[nodiscard]] std::size_t wanted_buckets() const noexcept;
  /// Spreads the children over `fresh`, whose elements are null, if it is larger than the present table. The
  /// old table is left in `fresh`, for the caller to free outside the lock.
  void rehash(std::vector<cell*>& fresh) noexcept;

 private:
  [[nodiscard]] std::size_t bucket_of(std::string_view name) const noexcept;
  void push(cell& child) noexcept;

  std::vector<cell*> buckets_;
  std::size_t count_ = 0;
};

}  // namespace troupe::detail
