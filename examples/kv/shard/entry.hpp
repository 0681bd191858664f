// One key and its value in one cache line: key and value of up to 32 bytes together are stored inline, longer
// ones in one heap block. Owned by a segment of a keyspace. Keys and values must be below 1 GiB each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

namespace kv {

/// Milliseconds since the Unix epoch.
using unix_ms = std::int64_t;

/// The expiry of a key that does not expire; later than any other expiry.
inline constexpr unix_ms never = std::numeric_limits<unix_ms>::max();

class alignas(64) entry {
 public:
  std::uint64_t hash = 0;
  unix_ms expires_at = never;

  entry() noexcept {}
  entry(entry&& other) noexcept { take(other); }
  entry& operator=(entry&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~entry() { release(); }

  /// Resets it to a new entry.
  void clear() noexcept {
    release();
    hash = 0;
    expires_at = never;
  }

  /// The views are valid until the entry changes or moves.
  std::string_view key() const { return {bytes(), key_size_}; }
  std::string_view value() const { return {bytes() + key_size_, value_size_}; }

  /// Fills a new entry.
  void assign(std::string_view key, std::string_view value) {
    release();
    reserve(key.size() + value.size());
    copy(0, key);
    key_size_ = narrow(key.size());
    set_value(value);
  }

  /// `value` must not point into this entry. A block of four times the size or more is replaced by a smaller
  /// one.
  void set_value(std::string_view value) {
    const std::size_t total = key_size_ + value.size();
    if (on_heap() && total <= capacity_ / 4) shrink(total);
    reserve(total);
    copy(key_size_, value);
    value_size_ = narrow(value.size());
  }

  /// Amortized O(size of suffix), which must not point into this entry.
  void append_value(std::string_view suffix) {
    const std::size_t used = std::size_t{key_size_} + value_size_;
    if (used + suffix.size() > capacity_) reserve(std::max(used + suffix.size(), std::size_t{capacity_} * 2));
    copy(used, suffix);
    value_size_ += narrow(suffix.size());
  }

 private:
  static constexpr std::uint32_t inside = 32;

  static std::uint32_t narrow(std::size_t size) { return static_cast<std::uint32_t>(size); }
  bool on_heap() const { return capacity_ > inside; }
  const char* bytes() const { return on_heap() ? block_ : inside_; }
  char* bytes() { return on_heap() ? block_ : inside_; }

  void copy(std::size_t at, std::string_view from) {
    if (!from.empty()) std::memcpy(bytes() + at, from.data(), from.size());
  }

  /// Makes room for `total` bytes and keeps key and value.
  void reserve(std::size_t total) {
    if (total <= capacity_) return;
    char* const larger = new char[total];
    std::memcpy(larger, bytes(), std::size_t{key_size_} + value_size_);
    if (on_heap()) delete[] block_;
    block_ = larger;
    capacity_ = narrow(total);
  }

  /// Moves the key from its block to a smaller one, or inline; drops the value.
  void shrink(std::size_t total) {
    char* const old = block_;
    char* const smaller = total > inside ? new char[total] : inside_;
    std::memmove(smaller, old, key_size_);
    if (total > inside) block_ = smaller;
    capacity_ = std::max(narrow(total), inside);
    value_size_ = 0;
    delete[] old;
  }

  void take(entry& other) noexcept {
    hash = other.hash;
    expires_at = other.expires_at;
    key_size_ = std::exchange(other.key_size_, 0);
    value_size_ = std::exchange(other.value_size_, 0);
    capacity_ = std::exchange(other.capacity_, inside);
    if (on_heap()) {
      block_ = other.block_;
    } else {
      std::memcpy(inside_, other.inside_, inside);
    }
    other.hash = 0;
    other.expires_at = never;
  }

  void release() noexcept {
    if (on_heap()) delete[] block_;
    key_size_ = value_size_ = 0;
    capacity_ = inside;
  }

  std::uint32_t key_size_ = 0;
  std::uint32_t value_size_ = 0;
  std::uint32_t capacity_ = inside;  // of inside_ or of the block; larger than `inside` only for a block
  union {
    char inside_[inside];
    char* block_;
  };
};

static_assert(sizeof(entry) == 64);

}  // namespace kv
