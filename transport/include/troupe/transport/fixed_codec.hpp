// Frames of one size, and no frames at all.
#pragma once

#include <troupe/transport/codec.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace troupe {

/// Each frame has the same number of bytes, at least one; it points into the input.
class fixed_codec {
 public:
  using frame_type = std::span<const std::byte>;
  static constexpr std::string_view name = "fixed_codec";

  explicit fixed_codec(std::size_t bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] std::size_t max_encoded() const noexcept { return bytes_; }
  [[nodiscard]] result<decoded<frame_type>> decode(std::span<const std::byte> input) const;
  [[nodiscard]] result<void> encode(std::span<const std::byte> frame, write_buffer& out) const;

 private:
  std::size_t bytes_;
};

/// No framing: a frame is the bytes that have come, at least one and at most `max_chunk`.
class bytes_codec {
 public:
  using frame_type = std::span<const std::byte>;
  static constexpr std::string_view name = "bytes_codec";

  explicit bytes_codec(std::size_t max_chunk = 16 * 1024) noexcept : max_(max_chunk == 0 ? 1 : max_chunk) {}

  [[nodiscard]] std::size_t max_encoded() const noexcept { return max_; }
  [[nodiscard]] result<decoded<frame_type>> decode(std::span<const std::byte> input) const;
  [[nodiscard]] result<void> encode(std::span<const std::byte> frame, write_buffer& out) const;

 private:
  std::size_t max_;
};

}  // namespace troupe
