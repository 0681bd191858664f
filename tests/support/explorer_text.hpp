// How the explorer's reports name memory orders, values and lines of code.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <string>
#include <string_view>

namespace troupe::explorer::detail {

inline std::string_view to_string(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      break;
  }
  return "seq_cst";
}

inline std::string to_text(const void* value, std::size_t size) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, value, std::min(size, sizeof bits));
  if (bits < 1'000'000) return std::to_string(bits);
  std::string out;
  for (; bits != 0; bits >>= 4) out.insert(out.begin(), "0123456789abcdef"[bits & 15]);
  return "0x" + out;
}

inline std::string to_text(const std::source_location& from) {
  std::string_view file = from.file_name();
  if (const auto slash = file.find_last_of('/'); slash != std::string_view::npos)
    file.remove_prefix(slash + 1);
  return std::string(file) + ":" + std::to_string(from.line());
}

}  // namespace troupe::explorer::detail
