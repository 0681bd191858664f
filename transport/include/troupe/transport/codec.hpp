// The concept of a codec: turns bytes into frames and back. A user's own protocol is a
// small class that does no I/O.
//
//   struct record_codec {
//     using frame_type = record;
//     static constexpr std::string_view name = "record_codec";
//     std::size_t max_encoded() const { return 2 + 512; }
//     troupe::result<troupe::decoded<record>> decode(std::span<const std::byte> input);
//     troupe::result<void> encode(const record& r, troupe::write_buffer& out) const;
//   };
//
// framed (framed.hpp) runs it over a stream.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/transport/write_buffer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace troupe {

/// The result of decoding the front of the input.
template <class Frame>
struct decoded {
  /// Empty: more bytes are needed.
  std::optional<Frame> frame;
  /// With a frame: how many bytes of the input it took, at least one. Without: how
  /// many the input must have before it is worth another call.
  std::size_t bytes;

  [[nodiscard]] static decoded need(std::size_t bytes) { return {std::nullopt, bytes}; }
  [[nodiscard]] static decoded of(Frame f, std::size_t bytes) { return {std::move(f), bytes}; }
};

/// Finds frames. `decode(input)` is shown all bytes from the start of a frame that
/// have come so far, never more than max_encoded(). As long as it asks for more, the
/// next call shows the same bytes, at another address perhaps, and more of them, so
/// it may remember how far it has looked. Its result must not depend on how the
/// bytes were split in transit. A frame may point into the input.
/// Errors: final; another call with the same bytes repeats it.
/// Threads: the strand of the framed that owns it.
template <class C>
concept frame_decoder = requires(C& c, const C& k, std::span<const std::byte> input) {
  typename C::frame_type;
  { C::name } -> std::convertible_to<std::string_view>;
  { c.decode(input) } -> std::same_as<result<decoded<typename C::frame_type>>>;
  { k.max_encoded() } -> std::same_as<std::size_t>;
};

/// Optional: decides on the bytes left when the stream ends, a frame or an error.
/// Without this, any bytes left are an error.
template <class C>
concept end_decoder = frame_decoder<C> && requires(C& c, std::span<const std::byte> input) {
  { c.decode_end(input) } -> std::same_as<result<decoded<typename C::frame_type>>>;
};

/// Appends `frame` to `out` in a form that decode() gives back as one equal frame.
/// Errors: a frame that cannot be sent; what was appended for it is taken back by the caller.
template <class C, class Frame>
concept frame_encoder = requires(C& c, const Frame& frame, write_buffer& out) {
  { c.encode(frame, out) } -> std::same_as<result<void>>;
};

/// Both directions, with one type of frame.
template <class C>
concept frame_codec = frame_decoder<C> && frame_encoder<C, typename C::frame_type>;

namespace detail {

/// A frame beyond the limit: names the codec, the limit and its option, the size.
[[nodiscard]] error frame_too_long(std::string_view codec, std::string_view what, std::uint64_t claimed,
                                   std::size_t limit, std::string_view option);
/// The same for our own frame, which was not sent.
[[nodiscard]] error frame_not_sent(std::string_view codec, std::size_t size, std::size_t limit,
                                   std::string_view option);
/// The stream ended `missing` bytes, or more, before the frame did.
[[nodiscard]] error frame_cut_off(std::string_view codec, std::size_t came, std::size_t missing);
/// An input that no correct peer sends, or a frame that cannot be sent.
[[nodiscard]] error bad_frame(std::string_view codec, std::string_view why);
[[nodiscard]] error bad_codec_option(std::string_view codec, std::string_view why);
[[nodiscard]] error codec_without_progress(std::string_view codec, std::size_t took, std::size_t shown);

/// Calls decode() with no more than its limit, and checks its contract.
template <frame_decoder C>
[[nodiscard]] result<decoded<typename C::frame_type>> decode_front(C& codec,
                                                                   std::span<const std::byte> data) {
  const std::size_t limit = codec.max_encoded();
  const std::span<const std::byte> shown = data.first(std::min(data.size(), limit));
  result<decoded<typename C::frame_type>> step = codec.decode(shown);
  if (!step) return step;
  if (!step->frame) {
    step->bytes = std::max(step->bytes, shown.size() + 1);
    if (shown.size() >= limit || step->bytes > limit) {
      return std::unexpected(
          frame_too_long(C::name, "what came so far needs", step->bytes, limit, "max_encoded"));
    }
  } else if (step->bytes == 0 || step->bytes > shown.size()) {
    return std::unexpected(codec_without_progress(C::name, step->bytes, shown.size()));
  }
  return step;
}

/// Decodes the bytes left at the end of the stream, which are not empty.
template <frame_decoder C>
[[nodiscard]] result<decoded<typename C::frame_type>> decode_rest(C& codec, std::span<const std::byte> data,
                                                                  std::size_t needed) {
  if constexpr (end_decoder<C>) {
    result<decoded<typename C::frame_type>> step = codec.decode_end(data);
    if (!step || (step->frame && step->bytes != 0 && step->bytes <= data.size())) return step;
  }
  return std::unexpected(frame_cut_off(C::name, data.size(), needed - std::min(needed, data.size())));
}

}  // namespace detail
}  // namespace troupe
