// Frames that end with a delimiter: any string of bytes.
#pragma once

#include <troupe/transport/codec.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

struct delimiter_options {
  /// One byte or more, zero bytes included.
  std::string delimiter = std::string(1, '\0');
  /// The longest frame, in bytes, without the delimiter.
  std::size_t max_frame = 64 * 1024;
};

/// A frame is what comes before the delimiter, which is dropped; it points into the
/// input. A frame that holds the delimiter, or would form one with it, is refused.
/// When more bytes come, the search resumes where it stopped, less the delimiter's length.
class delimiter_codec {
 public:
  using frame_type = std::span<const std::byte>;
  static constexpr std::string_view name = "delimiter_codec";

  explicit delimiter_codec(delimiter_options o = {}) : options_(std::move(o)) {}

  [[nodiscard]] std::size_t max_encoded() const noexcept;
  [[nodiscard]] result<decoded<frame_type>> decode(std::span<const std::byte> input);
  [[nodiscard]] result<void> encode(std::span<const std::byte> frame, write_buffer& out) const;

 private:
  delimiter_options options_;
  std::size_t seen_ = 0;  // no delimiter starts before this
};

}  // namespace troupe
