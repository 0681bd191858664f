// The bytes of the load, with which every echoed byte is checked. The period is prime, so it is a multiple of
// no message or buffer size: a lost, repeated or reordered byte is detected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace netload {

class pattern {
 public:
  /// For pieces of up to `longest` bytes.
  explicit pattern(std::size_t longest) : bytes_(longest + period) {
    std::uint32_t x = 1;
    for (std::size_t i = 0; i < period; ++i) {
      x = x * 1664525 + 1013904223;
      bytes_[i] = static_cast<char>(x >> 24);
    }
    for (std::size_t i = period; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - period];
  }
  /// The stream from `position` on.
  [[nodiscard]] const char* from(std::uint64_t position) const noexcept {
    return bytes_.data() + static_cast<std::size_t>(position % period);
  }
  [[nodiscard]] bool matches(const char* got, std::size_t n, std::uint64_t position) const noexcept {
    return std::memcmp(got, from(position), n) == 0;
  }

 private:
  static constexpr std::size_t period = 4093;
  std::vector<char> bytes_;
};

}  // namespace netload
