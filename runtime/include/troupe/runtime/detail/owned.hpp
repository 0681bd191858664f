// The only owner of an object on the heap: std::unique_ptr, for headers that every user compiles.
//
// With some standard libraries <memory> includes streams and locales, which were a sixth of the time that a
// small program takes to compile.
#pragma once

#include <utility>

namespace troupe::detail {

/// T may be incomplete except where one is destroyed. Not thread-safe.
template <class T>
class owned {
 public:
  constexpr owned() noexcept = default;
  /// Takes over `p`, which is from new, or null.
  explicit constexpr owned(T* p) noexcept : pointer_(p) {}
  owned(owned&& o) noexcept : pointer_(o.release()) {}
  owned& operator=(owned&& o) noexcept {
    std::swap(pointer_, o.pointer_);
    return *this;
  }
  ~owned() {
    static_assert(sizeof(T) > 0, "the end of an owner has to see the whole type");
    delete pointer_;
  }

  explicit operator bool() const noexcept { return pointer_ != nullptr; }
  T& operator*() const noexcept { return *pointer_; }
  T* operator->() const noexcept { return pointer_; }
  /// The object, no longer owned by this.
  [[nodiscard]] T* release() noexcept { return std::exchange(pointer_, nullptr); }

 private:
  T* pointer_ = nullptr;
};

}  // namespace troupe::detail
