// Objects of the process that are never destroyed.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace troupe::detail {

/// The one T of the process, created by the first call. An abandoned thread, or a static object, may use it
/// until the process ends. Any thread.
template <class T>
[[nodiscard]] T& lasting() noexcept {
  alignas(T) static std::array<std::byte, sizeof(T)> storage;
  static T* const instance = ::new (static_cast<void*>(storage.data())) T;
  return *instance;
}

}  // namespace troupe::detail
