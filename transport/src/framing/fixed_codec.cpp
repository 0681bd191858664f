// fixed_codec, frames of one size, and bytes_codec, no frames at all.
#include <troupe/transport/fixed_codec.hpp>

#include <string>

namespace troupe {

namespace {

error no_size() {
  return detail::bad_codec_option(fixed_codec::name,
                                  "frames of 0 bytes cannot be told apart: give them a size");
}

}  // namespace

result<decoded<fixed_codec::frame_type>> fixed_codec::decode(std::span<const std::byte> input) const {
  if (bytes_ == 0) return std::unexpected(no_size());
  if (input.size() < bytes_) return decoded<frame_type>::need(bytes_);
  return decoded<frame_type>::of(input.first(bytes_), bytes_);
}

result<void> fixed_codec::encode(std::span<const std::byte> frame, write_buffer& out) const {
  if (bytes_ == 0) return std::unexpected(no_size());
  if (frame.size() != bytes_) {
    return std::unexpected(detail::bad_frame(name, "a frame of " + std::to_string(frame.size()) +
                                                       " bytes was not sent: each has " +
                                                       std::to_string(bytes_)));
  }
  out.append(frame);
  return {};
}

result<decoded<bytes_codec::frame_type>> bytes_codec::decode(std::span<const std::byte> input) const {
  if (input.empty()) return decoded<frame_type>::need(1);
  const std::span<const std::byte> chunk = input.first(input.size() < max_ ? input.size() : max_);
  return decoded<frame_type>::of(chunk, chunk.size());
}

// A frame of any size: the peer may receive it in other pieces.
result<void> bytes_codec::encode(std::span<const std::byte> frame, write_buffer& out) const {
  out.append(frame);
  return {};
}

}  // namespace troupe
