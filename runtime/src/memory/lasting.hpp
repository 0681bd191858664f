// Objects that are never destroyed.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace troupe::detail {

/// The one T of the process, made when it is first asked for: a thread that was left behind, or a static
/// object, may use it to the very end. Any thread.
template <class T>
[[nodiscard]] T& lasting() noexcept {
  alignas(T) static std::array<std::byte, sizeof(T)> storage;
  static T* const instance = ::new (static_cast<void*>(storage.data())) T;
  return *instance;
}

}  // namespace troupe::detail
