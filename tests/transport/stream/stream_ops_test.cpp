// buffered, split and the operations on streams, over a connection in memory.
#include "support/catch.hpp"
#include "transport/backend.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/testkit.hpp>

#include <rapidcheck.h>

#include <string>

using namespace troupe;
using namespace troupe_test;
using testkit::duplex;
using testkit::memory_stream;

static_assert(waitable_reader<tcp_stream> && async_writer<tcp_stream> && half_closable<tcp_stream>);
static_assert(waitable_reader<memory_stream> && async_writer<memory_stream> && half_closable<memory_stream>);
static_assert(waitable_reader<buffered<tcp_stream>> && async_writer<buffered<tcp_stream>> &&
              half_closable<buffered<tcp_stream>>);
static_assert(waitable_reader<read_half<tcp_stream>> && async_writer<write_half<tcp_stream>> &&
              half_closable<write_half<tcp_stream>>);
static_assert(!async_writer<read_half<tcp_stream>> && !async_reader<write_half<tcp_stream>>);

namespace {

task<void> send(memory_stream s, std::string text) {
  must(co_await s.write_all(bytes_of(text)));
}

// Up to the end.
template <class S>
task<std::string> all_of(S& s) {
  std::string all;
  std::byte chunk[7];
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) co_return all;
    all += text_of(std::span(chunk, n));
  }
}

std::span<std::byte> room_in(std::string& text) {
  return std::as_writable_bytes(std::span(text));
}

// Neither waitable nor vectored: the least that a stream must be able to do.
struct plain_stream {
  memory_stream inner;
  task<result<std::size_t>> read_some(std::span<std::byte> into) { return inner.read_some(into); }
  task<result<void>> write_all(std::span<const std::byte> bytes) { return inner.write_all(bytes); }
};
static_assert(async_stream<plain_stream> && !waitable_reader<plain_stream> && !vectored_writer<plain_stream>);

struct vectored_stream : plain_stream {
  std::size_t calls = 0;
  using plain_stream::write_all;
  task<result<void>> write_all(std::span<const const_buffer> pieces) {
    ++calls;
    for (const const_buffer& p : pieces) must(co_await inner.write_all(p));
    co_return result<void>();
  }
};
static_assert(vectored_writer<vectored_stream>);

}  // namespace

TEST_CASE("read_exactly: fills the span from pieces, and an early end says how much came") {
  sim::runtime rt;
  auto [server, client] = duplex({.max_read = 2});
  rt.spawn(send(std::move(client), "abcdefgh"));
  std::string five(5, ' ');
  CHECK(rt.block_on(troupe::read_exactly(server, room_in(five))));
  CHECK(five == "abcde");
  const result<void> early = rt.block_on(troupe::read_exactly(server, room_in(five)));
  REQUIRE(!early);
  CHECK(early.error() == std::make_error_code(std::errc::connection_aborted));
  CHECK_THAT(early.error().to_string(), Catch::Contains("after 3 bytes of 5"));
}

TEST_CASE("read_until: gives what comes up to each delimiter, then the end, and leaves the rest") {
  sim::runtime rt;
  const auto piece = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{100});
  auto [server, client] = duplex({.max_read = piece});
  rt.spawn(send(std::move(client), "GET /\r\n\r\nab\r\n\r\n"));
  const auto read = [](memory_stream s) -> task<std::vector<std::string>> {
    buffered b(std::move(s));
    std::vector<std::string> seen;
    for (;;) {
      const auto part = must(co_await read_until(b, "\r\n\r\n", 100));
      if (part.empty()) co_return seen;
      seen.push_back(text_of(part));
    }
  };
  CHECK(must(rt.block_on(read(std::move(server)))) ==
        std::vector<std::string>{"GET /\r\n\r\n", "ab\r\n\r\n"});
}

TEST_CASE("read_until: no delimiter within the limit, or before the end, is an error") {
  sim::runtime rt;
  auto [server, client] = duplex();
  rt.spawn(send(std::move(client), "0123456789;rest"));
  const auto read = [](memory_stream s) -> task<std::vector<std::string>> {
    buffered b(std::move(s));
    std::vector<std::string> seen;
    seen.push_back((co_await read_until(b, ";", 10)).error().to_string());
    seen.push_back(text_of(must(co_await read_until(b, ";", 11))));
    seen.push_back((co_await read_until(b, ";", 11)).error().to_string());
    seen.push_back(text_of(b.data()));
    co_return seen;
  };
  const auto seen = must(rt.block_on(read(std::move(server))));
  CHECK_THAT(seen[0], Catch::Contains("limit of 10 bytes"));
  CHECK(seen[1] == "0123456789;");
  CHECK_THAT(seen[2], Catch::Contains("ended after 4 bytes without a delimiter"));
  CHECK(seen[3] == "rest");
}

TEST_CASE("copy: all bytes, in order, at the pace of the slower side, and no buffer while idle") {
  auto [a, a_peer] = duplex({.capacity = 1000, .max_read = 700});
  auto [b, b_peer] = duplex({.capacity = 300});
  result<std::uint64_t> copied = 0;
  bool done = false;
  const std::string text = [] {
    std::string t;
    for (int i = 0; i != 5000; ++i) t += std::to_string(i);
    return t;
  }();
  sim::runtime rt;
  rt.spawn([](memory_stream& from, memory_stream& to, result<std::uint64_t>& n, bool& over) -> task<void> {
    n = co_await troupe::copy(from, to);
    must(to.shutdown_write());
    over = true;
  }(a_peer, b, copied, done));
  rt.spawn([](memory_stream s, const std::string& t) -> task<void> {
    must(co_await s.write_all(bytes_of(t)));
  }(std::move(a), text));
  rt.run_until_idle();
  CHECK(!done);  // the peer does not read
  CHECK(must(rt.block_on(all_of(b_peer))) == text);
  CHECK(done);
  CHECK(copied == text.size());
}

TEST_CASE("copy: an error of either side ends it") {
  sim::runtime rt;
  auto [a, a_peer] = duplex();
  auto [b, b_peer] = duplex();
  b_peer.close();
  rt.spawn(send(std::move(a), "x"));
  const result<std::uint64_t> copied = rt.block_on(troupe::copy(a_peer, b));
  REQUIRE(!copied);
  CHECK(copied.error() == std::make_error_code(std::errc::broken_pipe));
}

TEST_CASE("write_all of pieces: arrives joined, with few writes, whatever the stream can do") {
  const std::string large(10'000, 'L');
  const std::vector<const_buffer> pieces{bytes_of("a"), bytes_of(""), bytes_of("bc"), bytes_of(large),
                                         bytes_of("d")};
  sim::runtime rt;
  auto [server, client] = duplex();
  SECTION("gathered") {
    CHECK(rt.block_on(troupe::write_all(server, pieces)));
    CHECK(server.writes() == 3);
  }
  SECTION("vectored") {
    vectored_stream v{{std::move(server)}};
    CHECK(rt.block_on(troupe::write_all(v, pieces)));
    CHECK(v.calls == 1);
  }
  server.close();
  CHECK(must(rt.block_on(all_of(client))) == "abc" + large + "d");
}

TEST_CASE("buffered: small writes leave together, at flush() or when a chunk is full, in order") {
  sim::runtime rt;
  auto [server, client] = duplex();
  const auto write = [](memory_stream& s) -> task<void> {
    buffered b(s, {.write_chunk = 10});
    for (const char* text : {"ab", "cd", "ef"}) must(co_await b.write_all(bytes_of(text)));
    if (s.writes() != 0) throw std::runtime_error("written before it had to be");
    must(co_await b.write_all(bytes_of("ghij")));  // full
    must(co_await b.write_all(bytes_of("k")));
    must(co_await b.write_all(bytes_of("a large one, by itself")));
    must(co_await b.write_all(bytes_of("!")));
    must(co_await b.flush());
    must(co_await b.flush());  // nothing to do
    must(co_await b.shutdown_write());
  };
  must(rt.block_on(write(server)));
  CHECK(server.writes() == 4);
  CHECK(must(rt.block_on(all_of(client))) == "abcdefghijka large one, by itself!");
}

TEST_CASE("buffered: is a stream itself, over one that cannot even wait") {
  sim::runtime rt;
  auto [server, client] = duplex({.max_read = 3});
  rt.spawn(send(std::move(client), "hello world"));
  const auto read = [](memory_stream s) -> task<std::string> {
    buffered b(plain_stream{std::move(s)});
    must(co_await b.fill());
    std::string start = text_of(b.data().first(2));
    b.consume(2);
    const std::string rest = co_await all_of(b);
    if (b.memory() != 0) throw std::runtime_error("holds memory at the end");
    co_return start + rest;
  };
  CHECK(must(rt.block_on(read(std::move(server)))) == "hello world");
}

TEST_CASE("feed: takes a stream that cannot wait, and one that is buffered") {
  sim::runtime rt;
  auto [server, client] = duplex({.max_read = 2});
  rt.spawn(send(std::move(client), "abcde"));
  const auto read = [](memory_stream s) -> task<std::string> {
    std::string seen;
    buffered b(plain_stream{std::move(s)});
    read_buffer buffer(100);
    const auto take = [&seen](std::span<const std::byte> data) -> task<std::size_t> {
      seen += text_of(data) + "|";
      co_return data.size();
    };
    must(co_await feed(b, buffer, take));
    co_return seen;
  };
  CHECK(must(rt.block_on(read(std::move(server)))) == "ab|cd|e|");
}

TEST_CASE("split: each half goes its way, and the stream ends with the last") {
  sim::runtime rt;
  auto [server, client] = duplex();
  auto [in, out] = split(std::move(server));
  CHECK(rt.block_on(out.write_all(bytes_of("from the server"))));
  CHECK(out.shutdown_write());
  CHECK(must(rt.block_on(all_of(client))) == "from the server");
  {
    const auto gone = std::move(out);
  }
  CHECK(rt.block_on(client.write_all(bytes_of("still heard"))));
  std::string text(11, ' ');
  CHECK(rt.block_on(troupe::read_exactly(in, room_in(text))));
  CHECK(text == "still heard");
  {
    const auto gone = std::move(in);
  }
  CHECK(!rt.block_on(client.write_all(bytes_of("nobody"))));
}

TEST_CASE("split: the halves of a real connection, half-closed") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  rt.spawn([](tcp_stream s) -> task<void> {
    auto [in, out] = split(std::move(s));
    (void)must(co_await troupe::copy(in, out));
    must(out.shutdown_write());
  }(std::move(c.server)));
  const auto ask = [](tcp_stream s) -> task<std::string> {
    must(co_await s.write_all(bytes_of("over and out")));
    must(s.shutdown_write());
    co_return co_await all_of(s);
  };
  CHECK(must(rt.block_on(ask(std::move(c.client)))) == "over and out");
}

TEST_CASE("close_gracefully: the last bytes arrive, though the peer has sent bytes that are never read") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  rt.spawn([](tcp_stream s) -> task<void> {
    must(co_await s.write_all(bytes_of("the last words")));
    co_await close_gracefully(s, 60s);
  }(std::move(c.server)));
  const auto talk_on = [](tcp_stream s) -> task<std::string> {
    for (int i = 0; i < 100; ++i) must(co_await s.write_all(bytes_of(std::string(1000, 'x'))));
    co_return co_await all_of(s);  // throws at a reset
  };
  CHECK(must(rt.block_on(talk_on(std::move(c.client)))) == "the last words");
}

TEST_CASE("close_gracefully: a peer that does not end is waited for with patience, and no longer") {
  sim::runtime rt;
  auto [server, client] = duplex();
  const auto began = rt.now();
  must(rt.block_on(close_gracefully(server, 2s)));
  CHECK(rt.now() - began == 2s);
  CHECK(must(rt.block_on(all_of(client))).empty());
}

TEST_CASE("memory_stream: keeps every byte in order, on threads, however small its capacity") {
  std::string seen;
  const std::string text = [] {
    std::string t;
    for (int i = 0; i != 20'000; ++i) t += std::to_string(i);
    return t;
  }();
  auto [a, b] = duplex({.capacity = 16, .max_read = 5});
  runtime rt({.workers = 2});
  rt.spawn(send(std::move(a), text));
  CHECK(must(rt.block_on(all_of(b))) == text);
}
