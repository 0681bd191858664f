// Codecs: pure functions of the received bytes, however these were split.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/transport.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <limits>
#include <string>

using namespace troupe;
using namespace troupe_test;
using namespace std::string_literals;

namespace {

using texts = std::vector<std::string>;

struct outcome {
  texts frames;
  std::string error;
  std::size_t left = 0;  // bytes that were neither
  bool operator==(const outcome&) const = default;
};

void show(std::ostream& out, const outcome& o) {
  for (const std::string& f : o.frames) out << '"' << f << "\" ";
  out << "error: " << o.error << " left: " << o.left;
}
std::ostream& operator<<(std::ostream& out, const outcome& o) {
  show(out, o);
  return out;
}

// Shows `codec` the input in pieces that end at `cuts`, as framed does.
template <class Codec>
outcome decode_all(Codec codec, std::string_view input, std::vector<std::size_t> cuts = {}) {
  outcome seen;
  std::ranges::sort(cuts);
  cuts.push_back(input.size());
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    const std::size_t end = std::min(cut, input.size());
    for (;;) {
      // A copy of exact size, at another address each time, so that nothing is remembered of the place.
      const std::string here(input.substr(begin, std::min(end - begin, codec.max_encoded())));
      const auto step = detail::decode_front(codec, bytes_of(here));
      if (!step) {
        seen.error = step.error().to_string();
        return seen;
      }
      if (!step->frame) break;
      seen.frames.emplace_back(text_of(std::as_bytes(std::span(*step->frame))));
      begin += step->bytes;
    }
  }
  seen.left = input.size() - begin;
  return seen;
}

template <class Codec>
result<std::string> encode_all(const Codec& codec, const texts& frames) {
  write_buffer out;
  for (const std::string& f : frames) {
    result<void> done;
    if constexpr (std::same_as<typename Codec::frame_type, std::string_view>) {
      done = codec.encode(f, out);
    } else {
      done = codec.encode(bytes_of(f), out);
    }
    if (!done) return std::unexpected(done.error());
  }
  return text_of(out.data());
}

rc::Gen<texts> some_frames(std::size_t longest, std::string alphabet) {
  return rc::gen::withSize([longest, alphabet](int size) {
    const auto most = std::min<std::size_t>(longest, static_cast<std::size_t>(size)) + 1;
    return rc::gen::container<texts>(
        rc::gen::mapcat(rc::gen::inRange<std::size_t>(0, most), [alphabet](std::size_t n) {
          return rc::gen::container<std::string>(n, rc::gen::elementOf(alphabet));
        }));
  });
}

rc::Gen<std::vector<std::size_t>> some_cuts(std::size_t size) {
  return rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, size + 1));
}

// Frames come back as they were, and every way to cut the bytes gives the same. Where encode refuses
// a frame, so be it: what it refuses is tested by example.
template <class Codec>
void round_trip(const Codec& codec, const texts& frames) {
  texts accepted;
  for (const std::string& f : frames) {
    if (encode_all(codec, {f})) accepted.push_back(f);
  }
  const result<std::string> bytes = encode_all(codec, accepted);
  RC_ASSERT(bytes.has_value());
  const outcome whole = decode_all(codec, *bytes);
  RC_ASSERT(whole.error.empty());
  RC_ASSERT(whole.left == 0u);
  RC_ASSERT(whole.frames == accepted);
  RC_ASSERT(decode_all(codec, *bytes, *some_cuts(bytes->size())) == whole);
}

// Whatever comes, the way it is cut does not matter, errors included.
template <class Codec>
void any_cut(const Codec& codec, const std::string& input) {
  const outcome whole = decode_all(codec, input);
  RC_ASSERT(decode_all(codec, input, *some_cuts(input.size())) == whole);
  std::vector<std::size_t> each(input.size());
  for (std::size_t i = 0; i != each.size(); ++i) each[i] = i;
  RC_ASSERT(decode_all(codec, input, each) == whole);
}

length_options any_length_options() {
  return {.prefix = *rc::gen::element(length_prefix::u8, length_prefix::u16, length_prefix::u32,
                                      length_prefix::u64, length_prefix::varint),
          .order = *rc::gen::element(byte_order::big, byte_order::little),
          .counts_prefix = *rc::gen::arbitrary<bool>(),
          .max_frame = *rc::gen::element<std::size_t>(0, 1, 7, 126, 127, 128, 300, 1 << 20,
                                                      std::numeric_limits<std::size_t>::max())};
}

std::string varint(std::uint64_t v) {
  std::string s;
  for (; v >= 0x80; v >>= 7) s += static_cast<char>(v | 0x80);
  return s + static_cast<char>(v);
}

}  // namespace

TEST_CASE("codecs: what is encoded is decoded, however the bytes are cut") {
  CHECK(rc::check("line_codec", [] {
    const line_options o{.max_line = *rc::gen::inRange<std::size_t>(0, 20),
                         .ending = *rc::gen::element(line_ending::lf, line_ending::crlf)};
    round_trip(line_codec(o), *some_frames(25, "ab\r\n"));
  }));
  CHECK(rc::check("delimiter_codec", [] {
    const delimiter_options o{.delimiter = *rc::gen::element("a"s, "aa"s, "ab"s, "aab"s, "aba"s, "\0"s),
                              .max_frame = *rc::gen::inRange<std::size_t>(0, 20)};
    round_trip(delimiter_codec(o), *some_frames(25, "aab"s + '\0'));
  }));
  CHECK(rc::check("fixed_codec", [] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 6);
    round_trip(fixed_codec(size), *some_frames(6, "ab"));
  }));
  CHECK(rc::check("length_codec", [] {
    round_trip(length_codec(any_length_options()), *some_frames(300, "ab\x80"s + '\0'));
  }));
}

TEST_CASE("codecs: how bytes are cut does not matter, errors included") {
  const auto bytes = [](std::string alphabet) {
    return *rc::gen::container<std::string>(rc::gen::elementOf(alphabet));
  };
  CHECK(rc::check("line_codec", [&] {
    any_cut(line_codec({.max_line = *rc::gen::inRange<std::size_t>(0, 12)}), bytes("aaaaaa\r\n"));
  }));
  CHECK(rc::check("delimiter_codec", [&] {
    any_cut(delimiter_codec({.delimiter = *rc::gen::element("a"s, "aa"s, "aab"s, "bbb"s),
                             .max_frame = *rc::gen::inRange<std::size_t>(0, 12)}),
            bytes("aaabc"));
  }));
  CHECK(rc::check("length_codec", [&] {
    any_cut(length_codec(any_length_options()), bytes("\0\0\1\2\3\5\x7f\x80\x81\xff"s));
  }));
  CHECK(rc::check("bytes_codec", [&] {
    const std::string input = bytes("abc");
    const bytes_codec codec(*rc::gen::inRange<std::size_t>(1, 9));
    std::string joined;
    const auto decoded = decode_all(codec, input, *some_cuts(input.size()));
    for (const std::string& piece : decoded.frames) {
      RC_ASSERT(!piece.empty() && piece.size() <= codec.max_encoded());
      joined += piece;
    }
    RC_ASSERT(joined == input);
  }));
}

TEST_CASE("line_codec: accepts LF and CRLF, and keeps a CR that is not before LF") {
  CHECK(decode_all(line_codec(), "a\nb\r\n\r\nc\rd\n\n") == outcome{{"a", "b", "", "c\rd", ""}, "", 0});
  CHECK(decode_all(line_codec(), "open") == outcome{{}, "", 4});
  CHECK(encode_all(line_codec({.ending = line_ending::crlf}), {"a", ""}).value() == "a\r\n\r\n");
}

TEST_CASE("line_codec: a line may be as long as the limit, whatever it ends with, and no longer") {
  const line_codec codec({.max_line = 3});
  CHECK(decode_all(codec, "abc\nabc\r\n").frames == texts{"abc", "abc"});
  const outcome refused = decode_all(codec, "abcd\n");
  CHECK(refused.error ==
        "line_codec: a line has more than 3 bytes, and the limit is 3 (max_line); close the connection, or "
        "raise the "
        "limit if such frames are meant to come");
  CHECK(decode_all(codec, "abcd").error == refused.error);  // known before the line ends
  CHECK(decode_all(codec, "abc\rd").error == refused.error);
  CHECK(decode_all(codec, "abc\r").error.empty());
}

TEST_CASE("line_codec: refuses to send what would be read as something else") {
  for (const std::string bad : {"a\nb", "\n", "a\r", "abcd"}) {
    const result<std::string> sent = encode_all(line_codec({.max_line = 3}), {bad});
    REQUIRE(!sent);
    CHECK_THAT(sent.error().to_string(), Catch::Contains("was not sent"));
  }
}

TEST_CASE("line_codec: looks at each byte of a dribbled line once") {
  // A million looks at up to a million bytes each would take minutes.
  constexpr std::size_t size = 1 << 20;
  line_codec codec({.max_line = size});
  const std::string line(size, 'x');
  std::size_t frames = 0;
  for (std::size_t n = 1; n <= size; ++n) {
    frames += codec.decode(bytes_of(std::string_view(line).substr(0, n)))->frame ? 1 : 0;
  }
  CHECK(frames == 0);
}

TEST_CASE("delimiter_codec: drops the delimiter, and finds one that comes in two pieces") {
  const delimiter_codec codec({.delimiter = "--"});
  CHECK(decode_all(codec, "a-b----c--d", {2, 4, 5}) == outcome{{"a-b", "", "c"}, "", 1});
  const result<std::string> sent = encode_all(codec, {"a-b", ""});
  CHECK(sent.value() == "a-b----");
}

TEST_CASE("delimiter_codec: refuses what holds the delimiter, alone or together with it") {
  for (const std::string bad : {"aa", "xaay", "a", "xa"}) {
    const result<std::string> sent = encode_all(delimiter_codec({.delimiter = "aa"}), {bad});
    REQUIRE(!sent);
    CHECK(sent.error() == std::make_error_code(std::errc::bad_message));
  }
  CHECK(encode_all(delimiter_codec({.delimiter = "aab"}), {"a", "xaa"}).has_value());
  CHECK_THAT(encode_all(delimiter_codec({.delimiter = ""}), {"a"}).error().to_string(),
             Catch::Contains("delimiter is empty"));
  CHECK_THAT(decode_all(delimiter_codec({.delimiter = ""}), "a").error,
             Catch::Contains("delimiter is empty"));
}

TEST_CASE("delimiter_codec: a frame beyond the limit is an error as soon as it is known") {
  const delimiter_codec codec({.delimiter = "\r\n.\r\n", .max_frame = 4});
  CHECK(decode_all(codec, "abcd\r\n.\r\n").frames == texts{"abcd"});
  CHECK_THAT(decode_all(codec, "abcde\r\n.\r\n").error, Catch::Contains("delimiter_codec") &&
                                                            Catch::Contains("more than 4 bytes") &&
                                                            Catch::Contains("max_frame"));
}

TEST_CASE("fixed_codec: cuts frames of one size, and sends no other") {
  CHECK(decode_all(fixed_codec(2), "aabbc") == outcome{{"aa", "bb"}, "", 1});
  CHECK_THAT(encode_all(fixed_codec(2), {"abc"}).error().to_string(),
             Catch::Contains("a frame of 3 bytes was not sent: each has 2"));
  CHECK_THAT(decode_all(fixed_codec(0), "a").error, Catch::Contains("0 bytes"));
}

TEST_CASE("length_codec: each prefix as it travels") {
  const auto sent = [](length_options o, const std::string& frame) {
    return encode_all(length_codec(o), {frame}).value();
  };
  CHECK(sent({.prefix = length_prefix::u8}, "abc") == "\3abc");
  CHECK(sent({.prefix = length_prefix::u16}, "abc") == "\0\3abc"s);
  CHECK(sent({.prefix = length_prefix::u16, .order = byte_order::little}, "abc") == "\3\0abc"s);
  CHECK(sent({}, "abc") == "\0\0\0\3abc"s);
  CHECK(sent({.counts_prefix = true}, "abc") == "\0\0\0\7abc"s);
  CHECK(sent({.prefix = length_prefix::u64, .order = byte_order::little}, "") == std::string(8, '\0'));
  const length_options v{.prefix = length_prefix::varint};
  CHECK(sent(v, std::string(127, 'x')).substr(0, 1) == "\x7f");
  CHECK(sent(v, std::string(300, 'x')).substr(0, 2) == "\xac\x02");
  // A varint that counts itself, where doing so makes it longer.
  const length_options self{.prefix = length_prefix::varint, .counts_prefix = true};
  CHECK(sent(self, std::string(126, 'x')).substr(0, 1) == "\x7f");
  CHECK(sent(self, std::string(127, 'x')).substr(0, 2) == "\x81\x01");
}

TEST_CASE("length_codec: a lie about the length is refused at once, with what was claimed") {
  const std::string lie = "\x80\0\0\0\0\0\0\0"s;
  const outcome seen = decode_all(length_codec({.prefix = length_prefix::u64}), lie);
  CHECK(seen.error ==
        "length_codec: the peer announces a frame of 9223372036854775808 bytes, and the limit is 1048576 "
        "(max_frame); "
        "close the connection, or raise the limit if such frames are meant to come");
  for (const std::uint64_t claim : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1048577}}) {
    CHECK_THAT(decode_all(length_codec({.prefix = length_prefix::varint}), varint(claim)).error,
               Catch::Contains(std::to_string(claim)));
  }
  CHECK(decode_all(length_codec({.prefix = length_prefix::varint}), varint(1048576)).error.empty());
}

TEST_CASE("length_codec: the largest claim of all overflows nothing, even without a limit") {
  const auto no_limit = std::numeric_limits<std::size_t>::max();
  for (const bool counts : {false, true}) {
    const length_codec codec({.prefix = length_prefix::u64, .counts_prefix = counts, .max_frame = no_limit});
    const outcome seen = decode_all(codec, std::string(8, '\xff') + "abc");
    CHECK(seen == outcome{{}, "", 11});
  }
}

TEST_CASE("length_codec: a length that cannot count its own prefix is refused") {
  const length_codec codec({.counts_prefix = true});
  CHECK_THAT(decode_all(codec, "\0\0\0\3"s).error,
             Catch::Contains("a length of 3 cannot count its own prefix of 4"));
  CHECK(decode_all(codec, "\0\0\0\4"s).frames == texts{""});
}

TEST_CASE("length_codec: a varint that is longer than it need be, or too large, is refused") {
  const length_codec codec({.prefix = length_prefix::varint});
  CHECK_THAT(decode_all(codec, "\x80\0"s).error, Catch::Contains("zero byte"));
  CHECK_THAT(decode_all(codec, "\x81\x80\0"s).error, Catch::Contains("zero byte"));
  CHECK_THAT(decode_all(codec, std::string(9, '\xff') + "\x02").error,
             Catch::Contains("does not fit 64 bits"));
  CHECK_THAT(decode_all(codec, std::string(20, '\x80')).error, Catch::Contains("does not fit 64 bits"));
  CHECK(decode_all(codec, std::string(9, '\x80')).error.empty());  // so far
}

TEST_CASE("length_codec: refuses to send what its prefix cannot say, or what is beyond the limit") {
  const length_options small{.prefix = length_prefix::u8, .max_frame = 1000};
  CHECK(encode_all(length_codec(small), {std::string(255, 'x')}).has_value());
  CHECK_THAT(encode_all(length_codec(small), {std::string(256, 'x')}).error().to_string(),
             Catch::Contains("does not fit a prefix of 1 bytes"));
  CHECK(!encode_all(length_codec({.prefix = length_prefix::u8, .counts_prefix = true}),
                    {std::string(255, 'x')}));
  CHECK_THAT(encode_all(length_codec({.max_frame = 3}), {"abcd"}).error().to_string(),
             Catch::Contains("a frame of 4 bytes was not sent: the limit is 3 (max_frame)"));
}
