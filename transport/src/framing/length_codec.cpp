// length_codec: reading and writing prefixes of fixed width and varints.
#include <troupe/transport/length_codec.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace troupe {

namespace {

constexpr std::string_view option = "max_frame";
constexpr std::size_t longest_varint = 10;

struct prefix {
  std::uint64_t value = 0;
  std::size_t bytes = 0;  // 0: incomplete
};

std::uint64_t read_fixed(std::span<const std::byte> bytes, byte_order order) noexcept {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i != bytes.size(); ++i) {
    const std::size_t at = order == byte_order::big ? i : bytes.size() - 1 - i;
    v = v << 8 | std::to_integer<std::uint64_t>(bytes[at]);
  }
  return v;
}

std::size_t varint_size(std::uint64_t v) noexcept {
  std::size_t n = 1;
  while ((v >>= 7) != 0) ++n;
  return n;
}

result<prefix> read_varint(std::span<const std::byte> input) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i != std::min(input.size(), longest_varint); ++i) {
    const auto b = std::to_integer<std::uint64_t>(input[i]);
    if (i == longest_varint - 1 && b > 1) {
      return std::unexpected(detail::bad_frame(
          length_codec::name, "a varint does not fit 64 bits: the peer speaks another protocol, or lies"));
    }
    v |= (b & 0x7f) << (7 * i);
    if ((b & 0x80) != 0) continue;
    if (b == 0 && i != 0) {
      return std::unexpected(detail::bad_frame(
          length_codec::name, "a varint ends with a zero byte it does not need: it has one shortest form"));
    }
    return prefix{v, i + 1};
  }
  return prefix{};
}

result<prefix> read_prefix(std::span<const std::byte> input, const length_options& o) {
  if (o.prefix == length_prefix::varint) return read_varint(input);
  const auto width = static_cast<std::size_t>(o.prefix);
  if (input.size() < width) return prefix{};
  return prefix{read_fixed(input.first(width), o.order), width};
}

// How many bytes the prefix of a frame takes. A varint that counts itself may grow by doing so.
std::size_t prefix_size(std::uint64_t frame, const length_options& o) noexcept {
  if (o.prefix != length_prefix::varint) return static_cast<std::size_t>(o.prefix);
  std::size_t n = varint_size(frame);
  if (o.counts_prefix && varint_size(frame + n) != n) ++n;
  return n;
}

// Largest length a `width`-byte prefix can encode.
std::uint64_t largest(std::size_t width) noexcept {
  return width >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * width)) - 1;
}

}  // namespace

std::size_t length_codec::max_encoded() const noexcept {
  const std::size_t own =
      options_.prefix == length_prefix::varint ? longest_varint : static_cast<std::size_t>(options_.prefix);
  return options_.max_frame > ~std::size_t{0} - own ? ~std::size_t{0} : options_.max_frame + own;
}

result<decoded<length_codec::frame_type>> length_codec::decode(std::span<const std::byte> input) const {
  const result<prefix> p = read_prefix(input, options_);
  if (!p) return std::unexpected(p.error());
  if (p->bytes == 0) {
    const std::size_t least = options_.prefix == length_prefix::varint
                                  ? input.size() + 1
                                  : static_cast<std::size_t>(options_.prefix);
    return decoded<frame_type>::need(least);
  }
  const std::uint64_t own = options_.counts_prefix ? p->bytes : 0;
  if (p->value < own) {
    return std::unexpected(detail::bad_frame(
        name, "a length of " + std::to_string(p->value) + " cannot count its own prefix of " +
                  std::to_string(own) + " bytes: the peer does not count it, or lies"));
  }
  const std::uint64_t frame = p->value - own;
  if (frame > options_.max_frame) {
    return std::unexpected(
        detail::frame_too_long(name, "the peer announces a frame of", frame, options_.max_frame, option));
  }
  const auto bytes = static_cast<std::size_t>(frame);
  // Not p->bytes + bytes, which may overflow where max_frame is as large as can be.
  if (input.size() - p->bytes < bytes) {
    const std::size_t total = bytes > ~std::size_t{0} - p->bytes ? ~std::size_t{0} : p->bytes + bytes;
    return decoded<frame_type>::need(total);
  }
  return decoded<frame_type>::of(input.subspan(p->bytes, bytes), p->bytes + bytes);
}

result<void> length_codec::encode(std::span<const std::byte> frame, write_buffer& out) const {
  if (frame.size() > options_.max_frame) {
    return std::unexpected(detail::frame_not_sent(name, frame.size(), options_.max_frame, option));
  }
  const std::size_t width = prefix_size(frame.size(), options_);
  std::uint64_t value = frame.size() + (options_.counts_prefix ? width : 0);
  std::array<std::byte, longest_varint> bytes;
  if (options_.prefix == length_prefix::varint) {
    for (std::size_t i = 0; i != width; ++i, value >>= 7) {
      bytes[i] = static_cast<std::byte>((value & 0x7f) | (i + 1 == width ? 0 : 0x80));
    }
  } else {
    if (value > largest(width)) {
      return std::unexpected(
          detail::bad_frame(name, "a frame of " + std::to_string(frame.size()) +
                                      " bytes was not sent: its length does not fit a prefix of " +
                                      std::to_string(width) + " bytes (prefix)"));
    }
    for (std::size_t i = 0; i != width; ++i, value >>= 8) {
      bytes[options_.order == byte_order::little ? i : width - 1 - i] = static_cast<std::byte>(value);
    }
  }
  out.append(std::span(bytes).first(width));
  out.append(frame);
  return {};
}

}  // namespace troupe
