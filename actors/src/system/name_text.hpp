// The name of a cell as text, without an allocation.
#pragma once

#include <troupe/actors/detail/cell.hpp>

#include <string_view>

namespace troupe::detail {

/// Valid while the cell is in memory. Any thread, also under a spinlock.
class name_text {
 public:
  explicit name_text(const cell& c) noexcept;
  name_text(const name_text&) = delete;
  name_text& operator=(const name_text&) = delete;

  [[nodiscard]] std::string_view view() const noexcept { return text_; }

 private:
  char serial_[12];  // '~' and 32 bits in decimal
  std::string_view text_;
};

}  // namespace troupe::detail
