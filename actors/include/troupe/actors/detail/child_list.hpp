// The children of a cell, in the order in which they were started: an intrusive list, youngest first.
#pragma once

namespace troupe::detail {

/// The place of a child in its parent's list.
template <class T>
struct child_links {
  T* older = nullptr;
  T* younger = nullptr;
};

/// Owns nothing; a child keeps its links in `T::links`. Not thread-safe: its user has a lock. All operations
/// are O(1) but place() without a neighbour, and do not allocate.
template <class T>
class child_list {
 public:
  [[nodiscard]] T* youngest() const noexcept { return youngest_; }
  [[nodiscard]] bool empty() const noexcept { return youngest_ == nullptr; }
  /// Whether a child, which was added to this list, is still in it.
  [[nodiscard]] bool still_has(const T& child) const noexcept {
    return child.links.younger != nullptr || youngest_ == &child;
  }

  /// Adds the youngest. `child` is in no list.
  void add(T& child) noexcept {
    child.links.older = youngest_;
    if (youngest_ != nullptr) youngest_->links.younger = &child;
    youngest_ = &child;
  }
  /// Harmless when `child`, which was added to this list, has been removed.
  void remove(T& child) noexcept {
    if (!still_has(child)) return;
    (child.links.younger != nullptr ? child.links.younger->links.older : youngest_) = child.links.older;
    if (child.links.older != nullptr) child.links.older->links.younger = child.links.younger;
    child.links = {};
  }
  /// Moves a child right before `older`, which it is then the next younger of; to the oldest end if null, in
  /// O(n).
  void place(T& child, T* older) noexcept {
    remove(child);
    if (older == nullptr) {
      T* oldest = youngest_;
      while (oldest != nullptr && oldest->links.older != nullptr) oldest = oldest->links.older;
      child.links.younger = oldest;
      (oldest != nullptr ? oldest->links.older : youngest_) = &child;
      return;
    }
    child.links = {older, older->links.younger};
    (child.links.younger != nullptr ? child.links.younger->links.older : youngest_) = &child;
    older->links.younger = &child;
  }

 private:
  T* youngest_ = nullptr;
};

}  // namespace troupe::detail
