// Length-prefixed frames.
#pragma once

#include <troupe/transport/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe {

/// How the length is written.
enum class length_prefix : std::uint8_t {
  u8 = 1,      ///< one byte
  u16 = 2,     ///< two bytes
  u32 = 4,     ///< four bytes
  u64 = 8,     ///< eight bytes
  varint = 0,  ///< seven bits a byte, low ones first, the top bit set on all but the last (LEB128)
};

enum class byte_order : std::uint8_t { big, little };

struct length_options {
  length_prefix prefix = length_prefix::u32;
  /// The byte order of a fixed-width prefix.
  byte_order order = byte_order::big;
  /// The length counts its own bytes too.
  bool counts_prefix = false;
  /// The longest frame, in bytes, without its prefix.
  std::size_t max_frame = 1024 * 1024;
};

/// A frame is what follows its length, and may be empty; it points into the input.
/// A length beyond the limit is refused as soon as it is known, before any of the
/// frame is awaited or allocated; so is one that is less than its own prefix, and a
/// varint that is longer than needed or does not fit 64 bits.
class length_codec {
 public:
  using frame_type = std::span<const std::byte>;
  static constexpr std::string_view name = "length_codec";

  explicit length_codec(length_options o = {}) noexcept : options_(o) {}

  [[nodiscard]] std::size_t max_encoded() const noexcept;
  [[nodiscard]] result<decoded<frame_type>> decode(std::span<const std::byte> input) const;
  [[nodiscard]] result<void> encode(std::span<const std::byte> frame, write_buffer& out) const;

 private:
  length_options options_;
};

}  // namespace troupe
