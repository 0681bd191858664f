// The atomics of a build that explores interleavings.
//
// explorer::atomic<T> has the interface of std::atomic<T>; TROUPE_EXPLORE makes troupe::detail::atomic<T> an
// alias of it. Inside a thread of an exploration (see explorer.hpp) each operation is a point at which the
// explorer may switch threads, and each load may see an older store where the memory order allows it.
// explorer::var<T> is plain data whose accesses are checked for races. Outside an exploration both are plain
// values for one thread, so that a test can set them up before its threads start and check them after they
// ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>
#include <utility>

namespace troupe::explorer {

namespace detail {

/// The largest T of an explorer::atomic, in bytes.
inline constexpr std::size_t max_atomic_size = 16;

/// Which entry of the memory model stands for an object, valid in one execution only.
struct cell {
  std::uint64_t execution = 0;
  std::uint32_t index = 0;
};

/// One access to an atomic: the object, its newest value, and the line of code that asks.
struct access {
  cell* where;
  void* newest;
  std::size_t size;
  std::source_location from;
};

/// Computes the value a read-modify-write stores from the one it read.
struct transform {
  void (*apply)(const void* argument, const void* old_value, void* new_value);
  const void* argument;
};

/// True while a thread of an exploration runs; everything below is called only then.
inline bool exploring = false;

void construct(const access& at) noexcept;
void load(const access& at, std::memory_order order, void* out) noexcept;
void store(const access& at, std::memory_order order, const void* value) noexcept;
void update(const access& at, std::memory_order order, transform change, void* old_value) noexcept;
bool compare_exchange(const access& at, std::memory_order success, std::memory_order failure, bool weak,
                      void* expected, const void* desired) noexcept;
void plain_access(cell& where, bool writes, const std::source_location& from) noexcept;
void set_name(const cell& where, const char* name);

/// The order of a failed exchange that std::atomic derives from the one order it was given.
constexpr std::memory_order failure_order(std::memory_order order) noexcept {
  if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
  if (order == std::memory_order_release) return std::memory_order_relaxed;
  return order;
}

}  // namespace detail

/// std::atomic_thread_fence.
void fence(std::memory_order order = std::memory_order_seq_cst) noexcept;

/// Says that the calling thread spins: it does not run again before another thread changed some
/// atomic, unless no other thread can run. A loop that spins without it is reported as a livelock.
void yield() noexcept;

/// std::atomic<T> for T up to 16 bytes; no wait and no notify.
template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= detail::max_atomic_size,
                "explorer::atomic<T> needs a trivially copyable T of at most 16 bytes");

  static constexpr bool number = std::is_integral_v<T> && !std::is_same_v<T, bool>;
  static constexpr bool countable = number || std::is_pointer_v<T>;
  using operand = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr atomic() noexcept : atomic(T{}) {}
  // Implicit, as std::atomic's.
  constexpr atomic(T value) noexcept : value_(value) {
    if !consteval {
      if (detail::exploring) detail::construct(at(std::source_location::current()));
    }
  }
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;

  [[nodiscard]] bool is_lock_free() const noexcept { return true; }

  T load(std::memory_order order = std::memory_order_seq_cst,
         std::source_location from = std::source_location::current()) const noexcept {
    if (!detail::exploring) return value_;
    T out = value_;
    detail::load(at(from), order, &out);
    return out;
  }
  operator T() const noexcept { return load(); }

  void store(T value, std::memory_order order = std::memory_order_seq_cst,
             std::source_location from = std::source_location::current()) noexcept {
    if (detail::exploring) {
      detail::store(at(from), order, &value);
    } else {
      value_ = value;
    }
  }
  T operator=(T value) noexcept {
    store(value);
    return value;
  }

  T exchange(T value, std::memory_order order = std::memory_order_seq_cst,
             std::source_location from = std::source_location::current()) noexcept {
    return change(order, from, [value](T) { return value; });
  }

  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               std::source_location from = std::source_location::current()) noexcept {
    return compare(expected, desired, success, failure, false, from);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                               std::source_location from = std::source_location::current()) noexcept {
    return compare(expected, desired, order, detail::failure_order(order), false, from);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                             std::source_location from = std::source_location::current()) noexcept {
    return compare(expected, desired, success, failure, true, from);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst,
                             std::source_location from = std::source_location::current()) noexcept {
    return compare(expected, desired, order, detail::failure_order(order), true, from);
  }

  T fetch_add(operand by, std::memory_order order = std::memory_order_seq_cst,
              std::source_location from = std::source_location::current()) noexcept
    requires countable
  {
    return change(order, from, [by](T old) { return sum(old, by, false); });
  }
  T fetch_sub(operand by, std::memory_order order = std::memory_order_seq_cst,
              std::source_location from = std::source_location::current()) noexcept
    requires countable
  {
    return change(order, from, [by](T old) { return sum(old, by, true); });
  }
  T fetch_and(T bits, std::memory_order order = std::memory_order_seq_cst,
              std::source_location from = std::source_location::current()) noexcept
    requires number
  {
    return change(order, from, [bits](T old) { return static_cast<T>(old & bits); });
  }
  T fetch_or(T bits, std::memory_order order = std::memory_order_seq_cst,
             std::source_location from = std::source_location::current()) noexcept
    requires number
  {
    return change(order, from, [bits](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_xor(T bits, std::memory_order order = std::memory_order_seq_cst,
              std::source_location from = std::source_location::current()) noexcept
    requires number
  {
    return change(order, from, [bits](T old) { return static_cast<T>(old ^ bits); });
  }

  T operator++() noexcept
    requires countable
  {
    return sum(fetch_add(1), 1, false);
  }
  T operator++(int) noexcept
    requires countable
  {
    return fetch_add(1);
  }
  T operator--() noexcept
    requires countable
  {
    return sum(fetch_sub(1), 1, true);
  }
  T operator--(int) noexcept
    requires countable
  {
    return fetch_sub(1);
  }
  T operator+=(operand by) noexcept
    requires countable
  {
    return sum(fetch_add(by), by, false);
  }
  T operator-=(operand by) noexcept
    requires countable
  {
    return sum(fetch_sub(by), by, true);
  }
  T operator&=(T bits) noexcept
    requires number
  {
    return static_cast<T>(fetch_and(bits) & bits);
  }
  T operator|=(T bits) noexcept
    requires number
  {
    return static_cast<T>(fetch_or(bits) | bits);
  }
  T operator^=(T bits) noexcept
    requires number
  {
    return static_cast<T>(fetch_xor(bits) ^ bits);
  }

  /// Calls the atomic `text` in the trace of a failing schedule. To be called before the threads start.
  void name(const char* text) const { detail::set_name(cell_, text); }

 private:
  // Through the unsigned type: atomics wrap around where plain signed numbers must not.
  static T sum(T value, operand by, bool negative) noexcept {
    if constexpr (std::is_pointer_v<T>) {
      return negative ? value - by : value + by;
    } else {
      using bits = std::make_unsigned_t<T>;
      const auto left = static_cast<bits>(value);
      const auto right = static_cast<bits>(by);
      return static_cast<T>(static_cast<bits>(negative ? left - right : left + right));
    }
  }

  detail::access at(const std::source_location& from) const noexcept {
    return {&cell_, &value_, sizeof(T), from};
  }

  template <class Change>
  T change(std::memory_order order, const std::source_location& from, const Change& next) noexcept {
    T old = value_;
    if (!detail::exploring) {
      value_ = next(old);
      return old;
    }
    const auto apply = [](const void* argument, const void* old_value, void* new_value) {
      T value;
      std::memcpy(&value, old_value, sizeof(T));
      value = (*static_cast<const Change*>(argument))(value);
      std::memcpy(new_value, &value, sizeof(T));
    };
    detail::update(at(from), order, {apply, &next}, &old);
    return old;
  }

  bool compare(T& expected, T desired, std::memory_order success, std::memory_order failure, bool weak,
               const std::source_location& from) noexcept {
    if (detail::exploring) {
      return detail::compare_exchange(at(from), success, failure, weak, &expected, &desired);
    }
    if (std::memcmp(&value_, &expected, sizeof(T)) != 0) {
      expected = value_;
      return false;
    }
    value_ = desired;
    return true;
  }

  mutable T value_;
  mutable detail::cell cell_{};
};

/// Plain data shared by the threads of an exploration. Every access must be ordered with each
/// conflicting one by releases and acquires of atomics; one that is not fails the exploration as a
/// data race, in whichever order the two happened to run. An access is not a point of switching.
template <class T>
class var {
 public:
  var(T value = T{}, std::source_location from = std::source_location::current()) : value_(std::move(value)) {
    check(true, from);
  }
  /// The end of its life conflicts with every access that is not ordered before it.
  ~var() { check(true, std::source_location::current()); }
  var(const var&) = delete;
  var& operator=(const var&) = delete;

  [[nodiscard]] const T& read(std::source_location from = std::source_location::current()) const {
    check(false, from);
    return value_;
  }
  void write(T value, std::source_location from = std::source_location::current()) {
    check(true, from);
    value_ = std::move(value);
  }

 private:
  void check(bool writes, const std::source_location& from) const noexcept {
    if (detail::exploring) detail::plain_access(cell_, writes, from);
  }

  T value_;
  mutable detail::cell cell_{};
};

}  // namespace troupe::explorer
