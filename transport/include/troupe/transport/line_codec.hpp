// Lines of text that end with LF or CRLF.
#pragma once

#include <troupe/transport/codec.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace troupe {

enum class line_ending : unsigned char { lf, crlf };

struct line_options {
  /// The longest line, in bytes, without its ending.
  std::size_t max_line = 8 * 1024;
  /// The ending of sent lines; either is accepted.
  line_ending ending = line_ending::lf;
  /// Whether the last line of a stream may lack its ending. If not, it is an error:
  /// the sender may have been cut off in the middle of it.
  bool open_end = false;
};

/// A frame is a line without its ending; it points into the input. A line that would
/// not be read back as one equal line is refused: one that contains LF, or ends
/// with CR. Each byte is looked at once, in whatever pieces it comes.
class line_codec {
 public:
  using frame_type = std::string_view;
  static constexpr std::string_view name = "line_codec";

  explicit line_codec(line_options o = {}) noexcept : options_(o) {}

  [[nodiscard]] std::size_t max_encoded() const noexcept;
  [[nodiscard]] result<decoded<std::string_view>> decode(std::span<const std::byte> input);
  [[nodiscard]] result<decoded<std::string_view>> decode_end(std::span<const std::byte> input);
  [[nodiscard]] result<void> encode(std::string_view line, write_buffer& out) const;

 private:
  line_options options_;
  std::size_t seen_ = 0;  // bytes of the input known to hold no LF
};

}  // namespace troupe
