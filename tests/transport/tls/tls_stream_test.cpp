// tls_stream: data, ends, deadlines, cancellation, and both directions at once.
#include "support/catch.hpp"
#include "transport/stream_contract.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <algorithm>
#include <random>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

std::string noise(std::size_t n, unsigned seed = 1) {
  std::string v(n, '\0');
  std::mt19937_64 random(seed);
  std::ranges::generate(v, [&] { return static_cast<char>(random()); });
  return v;
}

task<void> send_and_finish(tls_stream* s, std::string_view all, unsigned seed) {
  std::mt19937_64 random(seed);
  while (!all.empty()) {
    const std::size_t n = std::min<std::size_t>(all.size(), 1 + random() % 50'000);
    must(co_await s->write_all(bytes_of(all.substr(0, n))));
    all.remove_prefix(n);
  }
  must(co_await s->shutdown_write());
}

task<void> echo(tls_stream* s) {
  std::vector<std::byte> chunk(30'000);
  for (;;) {
    const std::size_t n = must(co_await s->read_some(chunk));
    if (n == 0) break;
    must(co_await s->write_all(std::span(chunk).first(n)));
  }
  must(co_await s->shutdown_write());
}

}  // namespace

TEST_CASE("tls_stream: an echo of 4 MiB in random pieces comes back unchanged") {
  const unsigned workers = GENERATE(1U, 2U);
  const std::string sent = noise(4 * 1024 * 1024);
  tls_pair p;
  runtime rt({.workers = workers});
  // Small buffers, so that records are cut and writes wait.
  const bool small = GENERATE(false, true);
  const tcp_options o{.receive_buffer = small ? 4096 : 0, .send_buffer = small ? 4096 : 0};
  p = make_tls_pair(rt, o, o);
  rt.spawn(echo(&p.server));
  const auto both = [](tls_stream& s, std::string_view all) -> task<std::string> {
    std::string back;
    std::size_t at = 0;
    std::byte chunk[20'000];
    while (at < all.size()) {
      const std::size_t n = std::min<std::size_t>(all.size() - at, 3000 + at % 1000);
      must(co_await s.write_all(bytes_of(all.substr(at, n))));
      at += n;
      while (back.size() < at) {
        const std::size_t got = must(co_await s.read_some(chunk));
        if (got == 0) co_return back;
        back += text_of(std::span(chunk, got));
      }
    }
    must(co_await s.shutdown_write());
    co_return back + co_await read_all(s);
  };
  const std::string back = must(rt.block_on(both(p.client, sent)));
  CHECK(back.size() == sent.size());
  CHECK(back == sent);
}

TEST_CASE("tls_stream: one reader and one writer in both directions at once, with occasional key updates") {
  // One worker, so that both coroutines of a stream run on one thread in turn, as on one strand.
  const std::string up = noise(8 * 1024 * 1024, 2);
  const std::string down = noise(8 * 1024 * 1024, 3);
  std::string got_up;
  std::string got_down;
  bool up_done = false;
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt, {.receive_buffer = 8192, .send_buffer = 8192},
                    {.receive_buffer = 8192, .send_buffer = 8192});
  const auto read_into = [](tls_stream* s, std::string& into, bool& done) -> task<void> {
    into = co_await read_all(*s);
    done = true;
  };
  const auto renew = [](tls_stream* s, const bool& done) -> task<void> {
    while (!done) {
      must(s->update_keys());
      co_await sleep_for(2ms);
    }
  };
  rt.spawn(send_and_finish(&p.client, up, 4));
  rt.spawn(send_and_finish(&p.server, down, 5));
  rt.spawn(read_into(&p.server, got_up, up_done));
  bool down_done = false;
  rt.spawn(renew(&p.client, down_done));
  rt.spawn(renew(&p.server, down_done));
  must(rt.block_on(read_into(&p.client, got_down, down_done)));
  must(rt.block_on(until(up_done)));
  CHECK(got_up == up);
  CHECK(got_down == down);
}

TEST_CASE("tls_stream: after shutdown_write the peer sees the end and can still answer") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  const auto test = [](tls_pair& c) -> task<std::pair<std::string, std::string>> {
    must(co_await c.client.write_all(bytes_of("question")));
    must(co_await c.client.shutdown_write());
    std::string asked = co_await read_all(c.server);
    must(co_await c.server.write_all(bytes_of("answer")));
    c.server.close();
    std::string answered = co_await read_all(c.client);
    co_return std::pair(asked, answered);
  };
  const auto [asked, answered] = must(rt.block_on(test(p)));
  CHECK(asked == "question");
  CHECK(answered == "answer");
  const result<void> late = rt.block_on(p.client.write_all(bytes_of("x")));
  REQUIRE(!late);
  CHECK(late.error() == std::make_error_code(std::errc::broken_pipe));
  CHECK(rt.block_on(p.client.shutdown_write()).error() == late.error().code());
}

TEST_CASE("tls_stream: shutdown_write arrives although the kernel was full when it was called") {
  // The last bytes fill the socket, so close_notify has to wait, and must not wait for the reader of the
  // other direction.
  const std::string much = noise(3 * 1024 * 1024);
  std::string got;
  bool done = false;
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt, {.receive_buffer = 4096}, {.send_buffer = 4096});
  const auto late_reader = [](tls_stream* s, std::string& into, bool& over) -> task<void> {
    co_await sleep_for(20ms);
    into = co_await read_all(*s);
    must(co_await s->write_all(bytes_of("thanks")));
    must(co_await s->shutdown_write());
    over = true;
  };
  rt.spawn(late_reader(&p.server, got, done));
  const auto test = [](tls_stream& s, std::string_view all) -> task<std::string> {
    must(co_await s.write_all(bytes_of(all)));
    must(co_await s.shutdown_write());
    co_return co_await read_all(s);
  };
  CHECK(must(rt.block_on(test(p.client, much))) == "thanks");
  CHECK(got == much);
}

TEST_CASE("tls_stream: every read at the end of the stream yields 0 bytes") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  const auto test = [](tls_pair& c) -> task<std::vector<std::size_t>> {
    must(co_await c.client.write_all(bytes_of("last words")));
    c.client.close();
    std::vector<std::size_t> reads;
    std::byte chunk[4];
    for (int i = 0; i < 5; ++i) reads.push_back(must(co_await c.server.read_some(chunk)));
    co_return reads;
  };
  CHECK(must(rt.block_on(test(p))) == std::vector<std::size_t>{4, 4, 2, 0, 0});
}

TEST_CASE("tls_stream: pieces are written as one, in order, including empty ones") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  const std::string large = noise(100'000);
  const std::vector<std::string> parts{"", "a", "", "bc", large, "d", large.substr(0, 20'000), "", "end", ""};
  std::string expected;
  std::vector<std::span<const std::byte>> pieces;
  for (const std::string& part : parts) {
    expected += part;
    pieces.push_back(bytes_of(part));
  }
  const auto test = [](tls_pair& c, std::span<const const_buffer> all, std::size_t n) -> task<std::string> {
    must(co_await c.client.write_all(all));
    must(co_await c.client.write_all(std::span<const const_buffer>()));
    co_return co_await read_exactly(c.server, n);
  };
  CHECK(must(rt.block_on(test(p, pieces, expected.size()))) == expected);
}

TEST_CASE("tls_stream: wait_readable sees decrypted bytes, and try_read never waits") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  std::byte chunk[4];
  const auto nothing = p.server.try_read(chunk);
  REQUIRE(nothing);
  CHECK(!*nothing);
  const auto test = [](tls_pair& c) -> task<std::string> {
    must(co_await c.client.write_all(bytes_of("twelve bytes")));
    std::string all;
    std::byte four[4];
    for (int i = 0; i < 3; ++i) {
      // One record, one event of the socket; the rest is in OpenSSL.
      must(co_await c.server.wait_readable());
      const auto got = must(c.server.try_read(four));
      if (got) all += text_of(std::span(four, *got));
    }
    co_return all;
  };
  CHECK(must(rt.block_on(with_timeout(test(p), 20s))) == "twelve bytes");
  // Control messages, here a ticket and a key update, do not end the wait.
  const auto quiet = [](tls_pair& c) -> task<bool> {
    must(c.client.update_keys());
    must(co_await c.client.write_all(bytes_of("x")));
    std::byte x[1];
    must(co_await c.server.read_some(x));
    const result<void> r = co_await with_timeout(c.server.wait_readable(), 20ms);
    co_return !r && r.error() == errc::timeout;
  };
  CHECK(must(rt.block_on(quiet(p))));
  // The end of the stream ends the wait, too.
  p.client.close();
  must(rt.block_on(with_timeout(p.server.wait_readable(), 20s)));
  const auto end = must(p.server.try_read(chunk));
  REQUIRE(end);
  CHECK(*end == 0);
}

TEST_CASE("tls_stream: cancelling a read at any point loses no byte") {
  const std::string sent = noise(100'000);
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt, {.receive_buffer = 4096}, {.send_buffer = 4096});
  const auto slow = [](tls_stream* s, std::string_view all) -> task<void> {
    while (!all.empty()) {
      co_await sleep_for(1ms);
      const std::size_t n = std::min<std::size_t>(all.size(), 3000);
      must(co_await s->write_all(bytes_of(all.substr(0, n))));
      all.remove_prefix(n);
    }
    must(co_await s->shutdown_write());
  };
  rt.spawn(slow(&p.client, sent));
  const auto impatient = [](tls_stream& s) -> task<std::pair<std::string, int>> {
    std::string all;
    int timeouts = 0;
    std::byte chunk[700];
    for (;;) {
      const result<std::size_t> n = co_await with_timeout(s.read_some(chunk), 100us);
      if (!n && n.error() == errc::timeout) {
        ++timeouts;
        continue;
      }
      if (must(n) == 0) co_return std::pair(all, timeouts);
      all += text_of(std::span(chunk, *n));
    }
  };
  const auto [all, timeouts] = must(rt.block_on(impatient(p.server)));
  CHECK(all == sent);
  CHECK(timeouts > 0);
}

TEST_CASE("tls_stream: a cancelled write leaves the connection usable") {
  // The peer reads a part of the cancelled write, in order, and then all of the next write.
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt, {.receive_buffer = 4096}, {.send_buffer = 4096});
  const std::string much(5 * 1024 * 1024, 'a');
  const auto stop_it = [](tls_stream& s, std::string_view all) -> task<error> {
    const result<void> r = co_await with_timeout(s.write_all(bytes_of(all)), 20ms);
    co_return r ? error(errc::not_found) : r.error();
  };
  REQUIRE(must(rt.block_on(stop_it(p.client, much))) == errc::timeout);
  const auto next = [](tls_stream* s) -> task<void> {
    must(co_await s->write_all(bytes_of("bcd")));
    must(co_await s->shutdown_write());
  };
  rt.spawn(next(&p.client));
  const std::string got = must(rt.block_on(read_all(p.server)));
  REQUIRE(got.size() > 3);
  CHECK(got.size() < much.size());
  CHECK(got.substr(got.size() - 3) == "bcd");
  CHECK(got.find_first_not_of('a') == got.size() - 3);
}

TEST_CASE("tls_stream: a read that waits longer than read_deadline times out, and the stream stays usable") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  p.server.set_read_deadline(20ms);
  const auto test = [](tls_pair& c) -> task<std::pair<error, std::string>> {
    std::byte chunk[16];
    const result<std::size_t> idle = co_await c.server.read_some(chunk);
    must(co_await c.client.write_all(bytes_of("late")));
    c.client.close();
    co_return std::pair(idle ? error(errc::not_found) : idle.error(), co_await read_all(c.server));
  };
  const auto [why, then] = must(rt.block_on(test(p)));
  CHECK(why == errc::timeout);
  CHECK(then == "late");
}

TEST_CASE("tls_stream: a connection whose peer does not read is aborted at write_deadline") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  p.server.set_write_deadline(50ms);
  const std::string much(32 * 1024 * 1024, 'x');
  const result<void> written = rt.block_on(p.server.write_all(bytes_of(much)));
  REQUIRE(!written);
  CHECK(written.error() == errc::timeout);
  CHECK_THAT(std::string(written.error().text()), Contains("the peer does not read"));
  CHECK(!rt.block_on(p.server.write_all(bytes_of("x"))));
  std::byte chunk[1];
  CHECK(!rt.block_on(p.server.read_some(chunk)));
}

TEST_CASE("tls_stream: a second operation of a kind is refused, and the first goes on") {
  tls_pair p;
  runtime rt({.workers = 1});
  p = make_tls_pair(rt);
  refuses_a_second_read(rt, p.server, p.client);
}

TEST_CASE("tls_stream: a stream may be closed or destroyed while a read waits") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  ends_a_waiting_read(rt, std::move(p.server), GENERATE(false, true));
}

TEST_CASE("tls_stream: the end of the runtime stops reads and writes that wait") {
  tls_pair p;
  const std::string much(32 * 1024 * 1024, 'x');
  {
    runtime rt({.workers = 2, .long_handler = 1s});
    p = make_tls_pair(rt, {.write_deadline = forever});
    const auto read_forever = [](tls_stream& s) -> task<void> { (void)co_await read_all(s); };
    const auto write_forever = [](tls_stream& s, std::string_view all) -> task<void> {
      (void)co_await s.write_all(bytes_of(all));
    };
    rt.spawn(read_forever(p.client));
    rt.spawn(write_forever(p.server, much));
    must(rt.block_on([]() -> task<void> { co_await sleep_for(10ms); }()));
  }
  CHECK(p.server.is_open());  // a stream outlives its runtime
}

TEST_CASE("tls_stream: every operation on a stream that is not open yields closed") {
  runtime rt({.workers = 1});
  tls_stream s;
  std::byte chunk[8];
  CHECK(!s.is_open());
  CHECK(rt.block_on(s.read_some(chunk)).error() == errc::closed);
  CHECK(rt.block_on(s.write_all(chunk)).error() == errc::closed);
  CHECK(rt.block_on(s.wait_readable()).error() == errc::closed);
  CHECK(rt.block_on(s.shutdown_write()).error() == errc::closed);
  CHECK(s.try_read(chunk).error() == errc::closed);
  CHECK(s.remote_endpoint().error() == errc::closed);
  CHECK(s.update_keys().error() == errc::closed);
  CHECK(s.alpn().empty());
  CHECK(s.cipher().empty());
  CHECK(!s.peer_certificate());
  CHECK(!s.session());
  s.close();
}

TEST_CASE("tls_stream: a read into an empty buffer is an error, a write of no bytes succeeds") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt);
  CHECK(rt.block_on(p.server.read_some({})).error() == errc::invalid_argument);
  CHECK(rt.block_on(p.server.write_all(std::span<const std::byte>())));
}
