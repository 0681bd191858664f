// One connection: bytes, ends, errors and deadlines.
#include "support/catch.hpp"
#include "transport/backend.hpp"
#include "transport/stream_contract.hpp"

#include <troupe/runtime/sim.hpp>

#include <algorithm>
#include <random>

using namespace troupe;
using namespace troupe_test;

namespace {

task<void> echo(tcp_stream s) {
  std::vector<std::byte> chunk(3000);
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) break;
    must(co_await s.write_all(std::span(chunk).first(n)));
  }
  must(s.shutdown_write());
}

task<std::size_t> send_in_pieces(tcp_stream& s, std::span<const std::byte> all, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::size_t pieces = 0;
  while (!all.empty()) {
    const std::size_t n = std::min<std::size_t>(all.size(), 1 + random() % 50'000);
    must(co_await s.write_all(all.first(n)));
    all = all.subspan(n);
    ++pieces;
  }
  must(s.shutdown_write());
  co_return pieces;
}

task<void> send_and_finish(tcp_stream* s, std::span<const std::byte> all) {
  co_await send_in_pieces(*s, all, 7);
}

std::vector<std::byte> noise(std::size_t n) {
  std::vector<std::byte> v(n);
  std::mt19937_64 random(n);
  std::ranges::generate(v, [&] { return static_cast<std::byte>(random()); });
  return v;
}

}  // namespace

TEST_CASE("tcp_stream: 1 MiB sent in random pieces comes back from an echo as it was") {
  const unsigned workers = GENERATE(1U, 2U);
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = workers});
  const std::vector<std::byte> sent = noise(1024 * 1024);
  connection c = must(rt.block_on(make_connection()));
  rt.spawn(echo(std::move(c.server)));
  // The writer is a task of its own and the reader another: one of each is allowed.
  rt.spawn(send_and_finish(&c.client, sent));
  const std::string back = must(rt.block_on(read_all(c.client)));
  CHECK(back.size() == sent.size());
  CHECK(back == text_of(sent));
}

TEST_CASE("tcp_stream: the end of the stream reads as 0 bytes, again and again") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<std::vector<std::size_t>> {
    must(co_await c.client.write_all(bytes_of("last words")));
    c.client.close();
    std::vector<std::size_t> reads;
    std::byte chunk[4];
    for (int i = 0; i < 5; ++i) reads.push_back(must(co_await c.server.read_some(chunk)));
    co_return reads;
  };
  CHECK(must(rt.block_on(test(must(rt.block_on(make_connection()))))) ==
        std::vector<std::size_t>{4, 4, 2, 0, 0});
}

TEST_CASE("tcp_stream: data and the end of the stream that arrive together are both seen") {
  // The last edge of the socket is used up when the data is read; a short read
  // must not be taken to mean that nothing more is there.
  runtime rt({.workers = 1});
  tcp_listener listener = listen_on_loopback();
  const auto test = [](tcp_listener& l, raw_peer& peer) -> task<std::string> {
    tcp_stream s = must(co_await l.accept());
    std::byte chunk[64];
    (void)must(co_await s.read_some(chunk));  // "hello": the stream has waited, so it is registered
    peer.send("data");
    peer.shutdown_write();
    // Both events are collected before the first read.
    co_await sleep_for(20ms);
    co_return co_await read_all(s);
  };
  raw_peer peer(must(listener.local_endpoint()));
  auto answer = [&]() -> task<std::string> { co_return co_await test(listener, peer); };
  const auto greet = [](raw_peer& p) -> task<void> {
    co_await sleep_for(5ms);
    p.send("hello");
  };
  rt.spawn(greet(peer));
  CHECK(must(rt.block_on(with_timeout(answer(), 5s))) == "data");
}

TEST_CASE("tcp_stream: after shutdown_write the peer sees the end and can still answer") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<std::pair<std::string, std::string>> {
    must(co_await c.client.write_all(bytes_of("question")));
    must(c.client.shutdown_write());
    std::string asked = co_await read_all(c.server);
    must(co_await c.server.write_all(bytes_of("answer")));
    c.server.close();
    std::string answered = co_await read_all(c.client);
    co_return std::pair(asked, answered);
  };
  const auto [asked, answered] = must(rt.block_on(test(must(rt.block_on(make_connection())))));
  CHECK(asked == "question");
  CHECK(answered == "answer");
}

TEST_CASE("tcp_stream: a reset in the middle of a write is an error, not a signal") {
  runtime rt({.workers = 1});
  tcp_listener listener = listen_on_loopback();
  raw_peer peer(must(listener.local_endpoint()));
  tcp_stream s = must(rt.block_on(listener.accept()));
  const std::vector<std::byte> much = noise(16 * 1024 * 1024);  // more than the kernel takes
  const auto reset_soon = [](raw_peer& p) -> task<void> {
    co_await sleep_for(10ms);
    p.reset();
  };
  rt.spawn(reset_soon(peer));
  const result<void> written = rt.block_on(s.write_all(much));
  REQUIRE(!written);
  const bool gone = written.error() == std::make_error_code(std::errc::connection_reset) ||
                    written.error() == std::make_error_code(std::errc::broken_pipe);
  CHECK(gone);
  CHECK_THAT(std::string(written.error().text()), Catch::Contains("write to 127.0.0.1:"));
  // And writing on is an error again, still without SIGPIPE.
  CHECK(!rt.block_on(s.write_all(bytes_of("more"))));
  CHECK(!rt.block_on(s.write_all(bytes_of("more"))));
}

TEST_CASE("tcp_stream: connecting to a port without a listener is refused, and the error says where") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  ip_endpoint free;
  {
    const tcp_listener l = listen_on_loopback();
    free = must(l.local_endpoint());
  }
  const result<tcp_stream> s = rt.block_on(tcp_stream::connect(free, 5s));
  REQUIRE(!s);
  CHECK(s.error() == std::make_error_code(std::errc::connection_refused));
  CHECK_THAT(std::string(s.error().text()),
             Catch::Contains("connect to " + free.to_string()) && Catch::Contains("nothing listens there"));
}

TEST_CASE("tcp_stream: connecting to a host that does not answer ends at the deadline") {
  // A listener whose queue is full drops handshakes, as a dead host does.
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const tcp_listener l = listen_on_loopback({.backlog = 0});
  const ip_endpoint at = must(l.local_endpoint());
  std::vector<tcp_stream> in_the_queue;
  bool timed_out = false;
  for (int i = 0; i < 8 && !timed_out; ++i) {
    result<tcp_stream> s = rt.block_on(tcp_stream::connect(at, 100ms));
    if (s) {
      in_the_queue.push_back(std::move(*s));
    } else {
      timed_out = s.error() == errc::timeout;
      CHECK_THAT(std::string(s.error().text()), Catch::Contains("the deadline passed"));
    }
  }
  CHECK(timed_out);
}

TEST_CASE("tcp_stream: a read that waits longer than read_deadline times out, and the stream lives on") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<std::pair<error, std::string>> {
    std::byte chunk[16];
    const result<std::size_t> idle = co_await c.server.read_some(chunk);
    must(co_await c.client.write_all(bytes_of("late")));
    c.client.close();
    co_return std::pair(idle ? error(errc::not_found) : idle.error(), co_await read_all(c.server));
  };
  connection c = must(rt.block_on(make_connection({.read_deadline = 20ms})));
  const auto [why, then] = must(rt.block_on(test(std::move(c))));
  CHECK(why == errc::timeout);
  CHECK(then == "late");
}

TEST_CASE("tcp_stream: a peer that does not read is cut at write_deadline") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection({.write_deadline = 50ms})));
  const std::vector<std::byte> much = noise(16 * 1024 * 1024);
  const result<void> written = rt.block_on(c.server.write_all(much));
  REQUIRE(!written);
  CHECK(written.error() == errc::timeout);
  CHECK_THAT(std::string(written.error().text()), Catch::Contains("the peer does not read"));
  // The connection is over for both sides.
  CHECK(!rt.block_on(c.server.write_all(bytes_of("x"))));
  std::byte chunk[1];
  CHECK(!rt.block_on(c.server.read_some(chunk)));
  c.server.close();
  const auto drain = [](tcp_stream& s) -> task<result<std::size_t>> {
    std::vector<std::byte> buffer(65536);
    for (;;) {
      result<std::size_t> n = co_await s.read_some(buffer);
      if (!n || *n == 0) co_return n;
    }
  };
  const result<std::size_t> end = rt.block_on(drain(c.client));
  REQUIRE(!end);
  CHECK(end.error() == std::make_error_code(std::errc::connection_reset));
}

TEST_CASE("tcp_stream: a second read at the same time is refused, and the first goes on") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  refuses_a_second_read(rt, c.server, c.client);
}

TEST_CASE("tcp_stream: closing while a read waits ends that read with errc::closed") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  ends_a_waiting_read(rt, std::move(c.server), false);
}

TEST_CASE("tcp_stream: a stream may be destroyed while a read waits") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  ends_a_waiting_read(rt, std::move(c.server), true);
}

TEST_CASE("tcp_stream: with_timeout takes a waiting read back without losing a byte") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<std::pair<int, std::string>> {
    int timeouts = 0;
    std::byte chunk[16];
    for (int i = 0; i < 5; ++i) {
      const auto r = co_await with_timeout(c.server.read_some(chunk), 2ms);
      if (!r && r.error() == errc::timeout) ++timeouts;
    }
    must(co_await c.client.write_all(bytes_of("whole")));
    c.client.close();
    co_return std::pair(timeouts, co_await read_all(c.server));
  };
  const auto [timeouts, text] = must(rt.block_on(test(must(rt.block_on(make_connection())))));
  CHECK(timeouts == 5);
  CHECK(text == "whole");
}

TEST_CASE("tcp_stream: the end of the runtime stops reads and writes that wait") {
  connection c;
  {
    runtime rt({.workers = 1, .long_handler = 1s});  // two strands, and a stream is used on one at a time
    c = must(rt.block_on(make_connection({.write_deadline = forever})));
    const auto read_forever = [](tcp_stream& s) -> task<void> { (void)co_await read_all(s); };
    const auto write_forever = [](tcp_stream& s) -> task<void> {
      const std::vector<std::byte> much(16 * 1024 * 1024);
      (void)co_await s.write_all(much);
    };
    rt.spawn(read_forever(c.server));
    rt.spawn(write_forever(c.server));
    must(rt.block_on([]() -> task<void> { co_await sleep_for(10ms); }()));
  }
  // A stream outlives its runtime.
  CHECK(c.server.is_open());
}

TEST_CASE("tcp_stream: try_read and try_write never wait") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  std::byte chunk[8];
  const auto nothing = c.server.try_read(chunk);
  REQUIRE(nothing);
  CHECK(!*nothing);
  CHECK(must(c.client.try_write(bytes_of("four"))) == 4);
  must(rt.block_on(c.server.wait_readable()));
  const auto four = c.server.try_read(chunk);
  REQUIRE(four);
  CHECK(*four == 4U);
  const std::vector<std::byte> much(4 * 1024 * 1024);
  std::size_t taken = 0;
  for (std::size_t n = 1; n != 0; taken += n) n = must(c.client.try_write(much));
  CHECK(taken > 0);
}

TEST_CASE("tcp_stream: who waited for it to be readable may read in the same expression") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  CHECK(must(c.client.try_write(bytes_of("four"))) == 4);
  const result<std::size_t> got = rt.block_on([](tcp_stream& s) -> task<std::size_t> {
    std::byte chunk[8];
    const auto read_after = [&](result<void> readable) {
      return must(readable), must(s.try_read(chunk)).value_or(0);
    };
    co_return read_after(co_await s.wait_readable());
  }(c.server));
  CHECK(got == 4);
}

TEST_CASE("tcp_stream: endpoints name both sides, options can be changed") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  CHECK(must(c.client.remote_endpoint()) == must(c.server.local_endpoint()));
  CHECK(must(c.server.remote_endpoint()) == must(c.client.local_endpoint()));
  CHECK(c.client.set_no_delay(false));
  c.client.close();
  CHECK(!c.client.set_no_delay(false));
}

TEST_CASE("tcp_stream: a stream that is not open says so to every operation") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  tcp_stream s;
  std::byte chunk[8];
  CHECK(!s.is_open());
  CHECK(rt.block_on(s.read_some(chunk)).error() == errc::closed);
  CHECK(rt.block_on(s.write_all(chunk)).error() == errc::closed);
  CHECK(rt.block_on(s.wait_readable()).error() == errc::closed);
  CHECK(s.try_read(chunk).error() == errc::closed);
  CHECK(s.try_write(chunk).error() == errc::closed);
  CHECK(s.shutdown_write().error() == errc::closed);
  CHECK(s.local_endpoint().error() == errc::closed);
  s.close();
}

TEST_CASE("tcp_stream: reading into nothing is an error, writing nothing is done") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  CHECK(rt.block_on(c.server.read_some({})).error() == errc::invalid_argument);
  CHECK(rt.block_on(c.server.write_all({})));
}

TEST_CASE("tcp_stream: a socket is awaited on the runtime it was opened on, and says so elsewhere") {
  tcp_listener kernels = listen_on_loopback();
  sim::runtime rt({.seed = 1});
  const result<tcp_stream> accepted = rt.block_on(kernels.accept());
  REQUIRE(!accepted);
  CHECK_THAT(std::string(accepted.error().text()), Catch::Contains("the runtime it was opened on"));
  connection simulated = must(rt.block_on(make_connection()));
  runtime real({.workers = 1});
  std::byte chunk[8];
  const result<std::size_t> read = real.block_on(simulated.server.read_some(chunk));
  REQUIRE(!read);
  CHECK_THAT(std::string(read.error().text()), Catch::Contains("the runtime it was opened on"));
}
