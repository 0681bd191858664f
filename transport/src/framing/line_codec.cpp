// line_codec: finding the end of a line, LF or CRLF.
#include <troupe/transport/line_codec.hpp>

#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::string_view option = "max_line";

}  // namespace

std::size_t line_codec::max_encoded() const noexcept {
  return std::min(options_.max_line, ~std::size_t{0} - 2) + 2;
}

result<decoded<std::string_view>> line_codec::decode(std::span<const std::byte> input) {
  using step = decoded<std::string_view>;
  const std::string_view text = text_of(input);
  const std::size_t end = text.find('\n', std::min(seen_, text.size()));
  if (end != std::string_view::npos) {
    const std::string_view line = text.substr(0, end != 0 && text[end - 1] == '\r' ? end - 1 : end);
    if (line.size() <= options_.max_line) {
      seen_ = 0;
      return step::of(line, end + 1);
    }
  } else if (text.size() <= options_.max_line ||
             (text.size() == options_.max_line + 1 && text.back() == '\r')) {
    seen_ = text.size();
    return step::need(text.size() + 1);
  }
  return std::unexpected(
      detail::frame_too_long(name, "a line has more than", options_.max_line, options_.max_line, option));
}

result<decoded<std::string_view>> line_codec::decode_end(std::span<const std::byte> input) {
  if (!options_.open_end) return decoded<std::string_view>::need(input.size() + 1);
  // At most a CR beyond the limit, or decode() would have refused it.
  std::string_view line = text_of(input);
  if (line.size() > options_.max_line) line.remove_suffix(1);
  seen_ = 0;
  return decoded<std::string_view>::of(line, input.size());
}

result<void> line_codec::encode(std::string_view line, write_buffer& out) const {
  if (line.size() > options_.max_line) {
    return std::unexpected(detail::frame_not_sent(name, line.size(), options_.max_line, option));
  }
  if (line.find('\n') != std::string_view::npos || line.ends_with('\r')) {
    return std::unexpected(detail::bad_frame(
        name, "a line that contains LF or ends with CR was not sent: it would be read as another one"));
  }
  out.append(line);
  out.append(options_.ending == line_ending::crlf ? std::string_view("\r\n") : std::string_view("\n"));
  return {};
}

}  // namespace troupe
