// A handle that holds one share in an object which counts its shares: see share_count.hpp.
#pragma once

#include <utility>

namespace troupe::detail {

/// Adds a share when copied, hands it on when moved, gives it back at its end.
/// T may be incomplete: its namespace declares `void add_share(T&) noexcept` and `drop_share`, alike.
/// Threads: as a pointer; the object's count may be changed by several threads at once.
template <class T>
class shared_ref {
 public:
  shared_ref() noexcept = default;
  /// Takes over a share that the caller holds.
  explicit shared_ref(T* object) noexcept : object_(object) {}
  /// Takes a share of its own; the caller has one.
  [[nodiscard]] static shared_ref share_of(T& object) noexcept {
    add_share(object);
    return shared_ref(&object);
  }
  shared_ref(const shared_ref& o) noexcept : object_(o.object_) {
    if (object_ != nullptr) add_share(*object_);
  }
  shared_ref(shared_ref&& o) noexcept : object_(std::exchange(o.object_, nullptr)) {}
  shared_ref& operator=(shared_ref o) noexcept {
    std::swap(object_, o.object_);
    return *this;
  }
  ~shared_ref() {
    if (object_ != nullptr) drop_share(*object_);
  }

  [[nodiscard]] T* get() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace troupe::detail
