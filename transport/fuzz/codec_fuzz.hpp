// The contract of every codec, checked by the fuzz targets of this folder: no input crashes it or makes
// it read out of bounds; how the input was cut on its way does not matter, errors included; it is
// never shown more than its limit; a frame that it gives out and takes back travels unchanged.
#pragma once

#include <troupe/transport/codec.hpp>
#include <troupe/transport/read_buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace troupe_fuzz {

using bytes = std::span<const std::byte>;

/// The options of a run, taken from the front of the fuzzer's input.
class options {
 public:
  options(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  /// A number below `bound`, and 0 when there is no input left.
  std::size_t pick(std::size_t bound) {
    if (rest_.empty()) return 0;
    const std::size_t n = rest_.front() % bound;
    rest_ = rest_.subspan(1);
    return n;
  }
  [[nodiscard]] bytes rest() const { return std::as_bytes(rest_); }

 private:
  std::span<const std::uint8_t> rest_;
};

[[noreturn]] inline void found(const char* what) {
  std::fputs(what, stderr);
  std::fputc('\n', stderr);
  std::abort();
}

struct outcome {
  std::vector<std::string> frames;
  std::string error;
  bool operator==(const outcome&) const = default;
};

template <class Frame>
std::string text_of(const Frame& f) {
  return {reinterpret_cast<const char*>(f.data()), f.size()};
}

/// Reads `input` in pieces through a buffer, as framed does; the length of each comes from the input.
template <class Codec>
outcome decode_all(Codec codec, bytes input, bool in_pieces) {
  outcome seen;
  const std::size_t limit = codec.max_encoded();
  troupe::read_buffer buffer(std::max<std::size_t>(limit, 64));
  for (std::size_t at = 0; at != input.size();) {
    const std::span<std::byte> room = buffer.prepare();
    if (room.empty()) found("a full buffer held neither a frame nor an error");
    const std::size_t wanted = in_pieces ? 1 + std::to_integer<std::size_t>(input[at]) % 7 : input.size();
    const std::size_t n = std::min({wanted, room.size(), input.size() - at});
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(at), n, room.begin());
    buffer.commit(n);
    at += n;
    while (!buffer.empty()) {
      const bytes front = buffer.data().first(std::min(buffer.size(), limit));
      const std::vector<std::byte> exact(front.begin(), front.end());  // the sanitizer sees overruns
      const auto step = codec.decode(exact);
      if (!step) {
        seen.error = step.error().to_string();
        return seen;
      }
      if (!step->frame) {
        if (step->bytes <= exact.size()) found("it has the bytes that it says it needs");
        if (step->bytes > limit) found("it asks for more than its limit");
        break;
      }
      if (step->bytes == 0 || step->bytes > exact.size())
        found("a frame took no bytes, or more than there are");
      seen.frames.push_back(text_of(*step->frame));
      buffer.consume(step->bytes);
    }
  }
  if (buffer.empty()) return seen;
  // The stream ends here.
  const std::vector<std::byte> rest(buffer.data().begin(), buffer.data().end());
  const auto last = troupe::detail::decode_rest(codec, bytes(rest), rest.size() + 1);
  if (!last) {
    seen.error = last.error().to_string();
  } else if (last->frame->size() > rest.size()) {
    found("the last frame is longer than what was left");
  } else {
    seen.frames.push_back(text_of(*last->frame));
  }
  return seen;
}

/// Checks all of it. `takes_back`: the codec must encode every frame that it has decoded.
template <class Codec>
void check(const Codec& codec, bytes input, bool takes_back) {
  const outcome whole = decode_all(codec, input, false);
  if (decode_all(codec, input, true) != whole)
    found("the pieces in which the input came changed its meaning");
  for (const std::string& text : whole.frames) {
    const typename Codec::frame_type frame(
        reinterpret_cast<decltype(typename Codec::frame_type().data())>(text.data()), text.size());
    troupe::write_buffer out;
    out.append(std::string_view("before"));
    if (!codec.encode(frame, out)) {
      if (takes_back) found("it refuses to send a frame that it has received");
      continue;
    }
    const outcome again = decode_all(codec, out.data().subspan(6), false);
    if (!again.error.empty() || again.frames != std::vector<std::string>{text}) {
      found("a frame did not travel unchanged");
    }
  }
}

}  // namespace troupe_fuzz
