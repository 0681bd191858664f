// A FIFO of bytes: the send or receive buffer of a simulated stream. On the simulation's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace troupe::detail::simnet {

class byte_queue {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - head_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  void append(std::span<const std::byte> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  /// A copy of `n` bytes, beginning at offset `from`.
  [[nodiscard]] std::vector<std::byte> copy(std::size_t from, std::size_t n) const {
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(head_ + from);
    return {first, first + static_cast<std::ptrdiff_t>(n)};
  }
  /// Moves the first into.size() bytes, which must be there, into `into`.
  void take(std::span<std::byte> into) noexcept {
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(head_), into.size(), into.begin());
    drop(into.size());
  }
  /// Drops the first `n` bytes.
  void drop(std::size_t n) noexcept {
    head_ += n;
    if (head_ == bytes_.size()) {
      clear();
    } else if (head_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void clear() noexcept {
    bytes_.clear();
    head_ = 0;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
};

}  // namespace troupe::detail::simnet
