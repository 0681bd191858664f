// delimiter_codec: finding the delimiter in the input, and refusing frames that contain it.
#include <troupe/transport/delimiter_codec.hpp>

#include <algorithm>

namespace troupe {

namespace {

constexpr std::string_view option = "max_frame";

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

error no_delimiter() {
  return detail::bad_codec_option(delimiter_codec::name, "the delimiter is empty: give it a byte at least");
}

}  // namespace

std::size_t delimiter_codec::max_encoded() const noexcept {
  const std::size_t own = std::max<std::size_t>(options_.delimiter.size(), 1);
  return options_.max_frame > ~std::size_t{0} - own ? ~std::size_t{0} : options_.max_frame + own;
}

result<decoded<delimiter_codec::frame_type>> delimiter_codec::decode(std::span<const std::byte> input) {
  const std::string& delimiter = options_.delimiter;
  if (delimiter.empty()) return std::unexpected(no_delimiter());
  const std::string_view text = text_of(input);
  const std::size_t end = text.find(delimiter, std::min(seen_, text.size()));
  if (end != std::string_view::npos && end <= options_.max_frame) {
    seen_ = 0;
    return decoded<frame_type>::of(input.first(end), end + delimiter.size());
  }
  // The first position where a delimiter may still begin.
  const std::size_t open = text.size() < delimiter.size() ? 0 : text.size() - delimiter.size() + 1;
  if (end == std::string_view::npos && open <= options_.max_frame) {
    seen_ = std::max(seen_, open);
    return decoded<frame_type>::need(text.size() + 1);
  }
  return std::unexpected(
      detail::frame_too_long(name, "a frame has more than", options_.max_frame, options_.max_frame, option));
}

result<void> delimiter_codec::encode(std::span<const std::byte> frame, write_buffer& out) const {
  const std::string& delimiter = options_.delimiter;
  if (delimiter.empty()) return std::unexpected(no_delimiter());
  if (frame.size() > options_.max_frame) {
    return std::unexpected(detail::frame_not_sent(name, frame.size(), options_.max_frame, option));
  }
  const std::size_t before = out.size();
  out.append(frame);
  out.append(delimiter);
  // The frame and the delimiter together may form one earlier: "a" followed by "aa".
  if (text_of(out.data()).find(delimiter, before) == before + frame.size()) return {};
  out.truncate(before);
  return std::unexpected(
      detail::bad_frame(name, "a frame that holds the delimiter was not sent: it would be read as two"));
}

}  // namespace troupe
