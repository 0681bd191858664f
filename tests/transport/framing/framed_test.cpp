// framed: frames over a stream, in memory and on the simulated clock.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/testkit.hpp>

#include <rapidcheck.h>

#include <array>
#include <string>

using namespace troupe;
using namespace troupe_test;
using testkit::duplex;
using testkit::memory_stream;

namespace {

using texts = std::vector<std::string>;

// All frames up to the end, or up to an error, which is the last element.
template <class Codec>
task<texts> read_frames(memory_stream s, Codec codec, framed_options o = {}) {
  framed f(std::move(s), std::move(codec), o);
  texts all;
  for (;;) {
    auto frame = co_await f.next();
    if (!frame) all.push_back("error: " + frame.error().to_string());
    if (!frame || !*frame) co_return all;
    all.emplace_back(text_of(std::as_bytes(std::span(**frame))));
  }
}

// Sends pieces, with a pause behind each, and closes.
task<void> send_pieces(memory_stream s, texts pieces, duration pause) {
  for (const std::string& piece : pieces) {
    must(co_await s.write_all(bytes_of(piece)));
    co_await sleep_for(pause);
  }
}

task<void> send_text(memory_stream s, std::string text) {
  must(co_await s.write_all(bytes_of(text)));
}

// A user's own codec: "<digits>;" is a number.
struct number_codec {
  using frame_type = int;
  static constexpr std::string_view name = "number_codec";
  [[nodiscard]] std::size_t max_encoded() const { return 6; }
  result<decoded<int>> decode(std::span<const std::byte> input) {
    largest_input = std::max(largest_input, input.size());
    const std::string text = text_of(input);
    const std::size_t end = text.find(';');
    if (end == std::string::npos) return decoded<int>::need(text.size() + 1);
    return decoded<int>::of(std::stoi(text.substr(0, end)), end + 1);
  }
  result<void> encode(int n, write_buffer& out) const {
    out.append(std::to_string(n));
    if (n < 0) return std::unexpected(error(make_error_code(errc::invalid_argument), "negative"));
    out.append(std::string_view(";"));
    return {};
  }
  std::size_t largest_input = 0;
};
struct stuck_codec {
  using frame_type = int;
  static constexpr std::string_view name = "stuck_codec";
  [[nodiscard]] std::size_t max_encoded() const { return 10; }
  result<decoded<int>> decode(std::span<const std::byte>) { return decoded<int>::of(1, 0); }
};

static_assert(frame_codec<number_codec>);
static_assert(frame_codec<line_codec> && end_decoder<line_codec>);
static_assert(frame_codec<delimiter_codec> && frame_codec<fixed_codec> && frame_codec<bytes_codec> &&
              frame_codec<length_codec>);

}  // namespace

TEST_CASE("framed: gives out frames in order, whatever pieces they come in, and then the end") {
  const auto piece = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{1000});
  sim::runtime rt;
  auto [server, client] = duplex({.max_read = piece});
  rt.spawn(send_text(std::move(client), "one\ntwo\r\n\nfour\n"));
  CHECK(must(rt.block_on(read_frames(std::move(server), line_codec()))) == texts{"one", "two", "", "four"});
}

TEST_CASE("framed: an end inside a frame is an error that says how much is missing") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), std::string("\0\0\0\5helloxx", 11)));
  const texts seen = must(rt.block_on(read_frames(std::move(server), length_codec())));
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] == "hello");
  CHECK_THAT(seen[1], Catch::Contains("length_codec") && Catch::Contains("2 bytes of it came") &&
                          Catch::Contains("at least 2 are missing"));
}

TEST_CASE("framed: an end inside the payload counts what is missing of it") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), std::string("\0\0\0\5he", 6)));
  const texts seen = must(rt.block_on(read_frames(std::move(server), length_codec())));
  REQUIRE(seen.size() == 1);
  CHECK_THAT(seen[0], Catch::Contains("at least 3 are missing"));
}

TEST_CASE("framed: a last line without its ending is an error, or a line where that is allowed") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), "one\ntwo"));
  const bool open = GENERATE(false, true);
  const texts seen = must(rt.block_on(read_frames(std::move(server), line_codec({.open_end = open}))));
  REQUIRE(seen.size() == 2);
  if (open) {
    CHECK(seen[1] == "two");
  } else {
    CHECK_THAT(seen[1], Catch::Contains("the stream ended inside a frame: 3 bytes"));
  }
}

TEST_CASE("framed: what is buffered comes without another read, and replies leave with one write") {
  auto [server, client] = duplex();
  sim::runtime rt;
  const auto echo = [](memory_stream& s) -> task<void> {
    framed f(s, line_codec());
    for (;;) {
      const auto line = co_await f.next();
      if (!must(line)) co_return;
      must(co_await f.queue(**line));
    }
  };
  const auto ask = [](memory_stream s) -> task<std::string> {
    std::string all;
    for (int round = 0; round != 3; ++round) {
      std::string text;
      for (int i = 0; i != 500; ++i) text += std::to_string(i) + "\n";  // many slices' worth
      must(co_await s.write_all(bytes_of(text)));
      std::string got(text.size(), ' ');
      must(co_await troupe::read_exactly(s, std::as_writable_bytes(std::span(got))));
      if (got != text) co_return "not what was sent: " + got;
    }
    co_return "same";
  };
  rt.spawn(echo(server));
  CHECK(must(rt.block_on(ask(std::move(client)))) == "same");
  rt.run_until_idle();
  CHECK(server.reads() == 3 + 1);  // and the end
  CHECK(server.writes() == 3);
}

TEST_CASE("framed: a batch is all that came together, and empty at the end") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_pieces(std::move(client), {"a\nb\nc", "\nd\n"}, 1s));
  const auto read = [](memory_stream s) -> task<std::vector<texts>> {
    framed f(std::move(s), line_codec());
    std::vector<texts> batches;
    for (;;) {
      auto batch = must(co_await f.next_batch());
      texts& seen = batches.emplace_back();
      for (const std::string_view line : batch) seen.emplace_back(line);
      if (seen.empty()) co_return batches;
    }
  };
  CHECK(must(rt.block_on(read(std::move(server)))) == std::vector<texts>{{"a", "b"}, {"c", "d"}, {}});
}

TEST_CASE("framed: an error behind a frame ends the batch and comes with the next call, again and again") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), "a\ntoo long\nb\n"));
  const auto read = [](memory_stream s) -> task<texts> {
    framed f(std::move(s), line_codec({.max_line = 3}));
    texts seen;
    auto batch = must(co_await f.next_batch());
    for (const std::string_view line : batch) seen.emplace_back(line);
    for (int i = 0; i != 2; ++i) {
      auto next = co_await f.next();
      seen.push_back(next ? "no error" : next.error().to_string());
    }
    co_return seen;
  };
  const texts seen = must(rt.block_on(read(std::move(server))));
  REQUIRE(seen.size() == 3);
  CHECK(seen[0] == "a");
  CHECK_THAT(seen[1], Catch::Contains("max_line"));
  CHECK(seen[1] == seen[2]);
}

TEST_CASE("framed: a frame that is dribbled is cut by frame_deadline, an idle stream is not") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn([](memory_stream s) -> task<void> {
    must(co_await s.write_all(bytes_of("first\n")));
    co_await sleep_for(1h);  // between frames: for the stream's read_deadline to judge
    must(co_await s.write_all(bytes_of("second\n")));
    for (int i = 0; i != 100; ++i) {
      if (!co_await s.write_all(bytes_of("x"))) co_return;
      co_await sleep_for(1s);
    }
  }(std::move(client)));
  const time_point start = rt.now();
  const texts seen = must(rt.block_on(read_frames(std::move(server), line_codec(), {.frame_deadline = 10s})));
  REQUIRE(seen.size() == 3);
  CHECK(seen[1] == "second");
  CHECK_THAT(seen[2], Catch::Contains("frame_deadline") && Catch::Contains("line_codec"));
  CHECK(rt.now() - start >= 1h + 10s);
  CHECK(rt.now() - start < 1h + 11s);
}

TEST_CASE("framed: the time for a frame starts again with each frame") {
  sim::runtime rt;
  auto [server, client] = duplex();
  texts pieces;
  for (int i = 0; i != 20; ++i) pieces.insert(pieces.end(), {"x", "y\n"});
  rt.spawn(send_pieces(std::move(client), pieces, 700ms));
  const texts seen = must(rt.block_on(read_frames(std::move(server), line_codec(), {.frame_deadline = 1s})));
  CHECK(seen == texts(20, "xy"));
}

TEST_CASE("framed: the time for a frame goes on through waits that are given up") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_pieces(std::move(client), texts(100, "x"), 1s));
  const auto read = [](memory_stream s) -> task<int> {
    framed f(std::move(s), line_codec(), {.frame_deadline = 10s});
    for (int given_up = 0;; ++given_up) {
      const auto line = co_await with_timeout(f.next(), 3s);
      if (!line && line.error().text().empty()) continue;
      co_return line ? -1 : given_up;
    }
  };
  CHECK(must(rt.block_on(read(std::move(server)))) == 3);
}

TEST_CASE("framed: a wait that is given up loses no byte") {
  sim::runtime rt({.seed = testkit::seed_or(7), .max_slice_time = 1ms});
  constexpr int count = 300;
  auto [server, client] = duplex({.max_read = 3});
  texts pieces;
  texts expected;
  for (int i = 0; i != count; ++i) {
    expected.push_back(std::to_string(i));
    pieces.push_back(expected.back() + "\n");
  }
  rt.spawn(send_pieces(std::move(client), pieces, 2ms));
  const auto read = [](memory_stream s) -> task<texts> {
    framed f(std::move(s), line_codec());
    texts seen;
    for (;;) {
      const auto line = co_await with_timeout(f.next(), 1ms);
      if (!line && line.error() == errc::timeout) continue;
      if (!must(line)) co_return seen;
      seen.emplace_back(**line);
    }
  };
  CHECK(must(rt.block_on(read(std::move(server)))) == expected);
}

TEST_CASE("framed: stopping its owner in the middle of a frame unwinds it, and nothing leaks") {
  const testkit::leak_guard leaks;
  {
    bool went_on = false;
    testkit::test_system b;
    auto [server, client] = duplex();
    struct reader {
      using accepts = protocol<int>;
      reader(memory_stream s, bool& on) : f(std::move(s), line_codec()), went_on(on) {}
      task<void> handle(int) {
        (void)co_await f.next();
        went_on = true;
      }
      framed<memory_stream, line_codec> f;
      bool& went_on;
    };
    const auto r = b.sys.spawn<reader>({}, std::move(server), std::ref(went_on));
    CHECK(r.tell(1) == send_result::ok);
    b.await(client.write_all(bytes_of("half a li")));
    b.run();
    b.sys.stop(r);
    b.run();
    CHECK(!went_on);
  }
  leaks.verify();
}

TEST_CASE("framed: holds no memory while it is idle, and no more than came for a frame that is announced") {
  auto [server, client] = duplex();
  std::size_t idle = 1;
  std::size_t partial = 0;
  const auto read = [](framed<memory_stream, length_codec>& f) -> task<void> {
    (void)must(co_await f.next());
    const auto cut = co_await f.next();
    if (cut) throw std::runtime_error("a frame of 100 663 296 bytes that never came");
  };
  framed f(std::move(server), length_codec({.max_frame = 1 << 30}));
  sim::runtime rt;
  rt.spawn(
      send_pieces(std::move(client), {std::string("\0\0\0\1x", 5), std::string("\x06\0\0\0abc", 7)}, 1s));
  rt.spawn(read(f));
  rt.advance(500ms);
  idle = f.bytes().memory();
  rt.advance(1s - 1ms);
  partial = f.bytes().memory();
  rt.advance(10s);
  CHECK(idle == 0);
  CHECK(partial == read_buffer::block_bytes);
}

TEST_CASE("framed: a codec never sees more than its limit, however much is buffered") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), "12345;6;78;123456"));
  const auto read = [](memory_stream s) -> task<texts> {
    framed f(std::move(s), number_codec{});
    texts seen;
    for (;;) {
      const auto n = co_await f.next();
      seen.push_back(n ? std::to_string(n->value()) : n.error().to_string());
      if (!n) break;
    }
    seen.push_back(std::to_string(f.codec().largest_input));
    co_return seen;
  };
  const texts seen = must(rt.block_on(read(std::move(server))));
  REQUIRE(seen.size() == 5);
  CHECK(texts(seen.begin(), seen.begin() + 3) == texts{"12345", "6", "78"});
  CHECK_THAT(seen[3], Catch::Contains("number_codec") && Catch::Contains("limit is 6"));
  CHECK(seen[4] == "6");
}

TEST_CASE("framed: a codec that makes no progress is an error, not a loop") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send_text(std::move(client), "x"));
  const auto read = [](memory_stream s) -> task<result<std::optional<int>>> {
    framed f(std::move(s), stuck_codec{});
    co_return co_await f.next();
  };
  const auto n = rt.block_on(read(std::move(server)));
  REQUIRE(!n);
  CHECK_THAT(n.error().to_string(), Catch::Contains("stuck_codec"));
}

TEST_CASE("framed: a frame that the codec refuses leaves nothing behind") {
  sim::runtime rt;
  auto [server, client] = duplex();
  const auto write = [](memory_stream s) -> task<bool> {
    framed f(std::move(s), number_codec{});
    must(co_await f.queue(1));
    const bool refused = !co_await f.send(-5);
    must(co_await f.send_all(std::array{2, 3}));
    must(co_await f.shutdown_write());
    co_return refused;
  };
  const auto read = [](memory_stream s) -> task<std::string> {
    std::string got(100, ' ');
    got.resize(must(co_await s.read_some(std::as_writable_bytes(std::span(got)))));
    co_return got;
  };
  CHECK(must(rt.block_on(write(std::move(server)))));
  CHECK(must(rt.block_on(read(std::move(client)))) == "1;2;3;");
}

TEST_CASE("framed: queued output is bounded: beyond write_chunk the writer waits for its peer") {
  auto [server, client] = duplex({.capacity = 1000});
  std::size_t queued = 0;
  framed f(std::move(server), fixed_codec(100), {.write_chunk = 500});
  sim::runtime rt;
  rt.spawn([](framed<memory_stream, fixed_codec>& to, std::size_t& n) -> task<void> {
    const std::string frame(100, 'x');
    for (; n != 1000; ++n) must(co_await to.queue(bytes_of(frame)));
    must(co_await to.flush());
  }(f, queued));
  rt.run_until_idle();
  CHECK(queued < 20);
  CHECK(f.bytes().memory() <= read_buffer::block_bytes);
  const auto drain = [](memory_stream& s) -> task<void> {
    std::vector<std::byte> all(100'000);
    must(co_await troupe::read_exactly(s, std::span(all)));
  };
  must(rt.block_on(drain(client)));
  CHECK(queued == 1000);
}

TEST_CASE("framed: after a write that was stopped half-way, no other follows") {
  sim::runtime rt;
  auto [server, client] = duplex({.capacity = 10});
  const auto write = [](memory_stream s) -> task<error> {
    framed f(std::move(s), fixed_codec(100));
    const std::string frame(100, 'x');
    if (co_await with_timeout(f.send(bytes_of(frame)), 1s)) throw std::runtime_error("there was no room");
    co_return (co_await f.send(bytes_of(frame))).error();
  };
  CHECK_THAT(must(rt.block_on(write(std::move(server)))).to_string(), Catch::Contains("stopped half-way"));
}

TEST_CASE("framed: works over the halves of a stream, one for reading, one for writing") {
  auto [server, client] = duplex();
  auto [in, out] = split(std::move(server));
  framed reader(std::move(in), line_codec());
  framed writer(std::move(out), line_codec());
  std::string heard;
  sim::runtime rt;
  rt.spawn([](auto& r, std::string& text) -> task<void> {
    while (const auto line = must(co_await r.next())) text += *line;
  }(reader, heard));
  rt.run_until_idle();
  const auto talk = [](auto& w, memory_stream& peer) -> task<std::string> {
    must(co_await w.send(std::string_view("to the peer")));
    must(co_await w.shutdown_write());
    std::string got(100, ' ');
    got.resize(must(co_await peer.read_some(std::as_writable_bytes(std::span(got)))));
    std::string more(1, ' ');
    const std::size_t end = must(co_await peer.read_some(std::as_writable_bytes(std::span(more))));
    must(co_await peer.write_all(bytes_of("from the peer\n")));
    co_return got + (end == 0 ? "then the end" : "more");
  };
  CHECK(must(rt.block_on(talk(writer, client))) == "to the peer\nthen the end");
  rt.run_until_idle();
  CHECK(heard == "from the peer");
}

TEST_CASE("framed: a peer over a real socket, pipelined") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  rt.spawn([](tcp_stream s) -> task<void> {
    framed f(std::move(s), length_codec({.prefix = length_prefix::varint}));
    while (const auto frame = must(co_await f.next())) must(co_await f.queue(*frame));
  }(std::move(c.server)));
  const auto wrong = [](tcp_stream s) -> task<std::size_t> {
    framed f(std::move(s), length_codec({.prefix = length_prefix::varint}));
    std::size_t right = 0;
    std::size_t asked = 0;
    const std::string text(70'000, 'x');
    for (std::size_t size = 0; size < text.size(); size = size * 3 + 1) {
      for (int i = 0; i != 16; ++i, ++asked) must(co_await f.queue(bytes_of(text).first(size)));
      must(co_await f.flush());
      for (int i = 0; i != 16; ++i) right += must(co_await f.next()).value().size() == size ? 1 : 0;
    }
    co_return asked - right;
  };
  CHECK(must(rt.block_on(wrong(std::move(c.client)))) == 0);
}
