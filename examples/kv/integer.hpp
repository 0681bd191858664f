// Integers as Redis reads and writes them: strict decimal, no sign but a leading '-', no leading zeros. Pure
// functions; any thread may call them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kv {

/// Parses an integer; nullopt when `text` is not one. Accepts exactly the integers that Redis accepts: "0",
/// or an optional '-' and digits of which the first is not '0', within 64 bits.
inline std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  if (text == "0") return 0;
  const char first = text.front() == '-' && text.size() > 1 ? text[1] : text.front();
  if (first < '1' || first > '9') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// An integer as decimal text, without a heap allocation.
class integer_text {
 public:
  explicit integer_text(std::int64_t value)
      : size_(static_cast<std::size_t>(std::to_chars(digits_, digits_ + sizeof digits_, value).ptr -
                                       digits_)) {}
  std::string_view view() const { return {digits_, size_}; }

 private:
  char digits_[20];
  std::size_t size_;
};

}  // namespace kv
