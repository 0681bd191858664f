// feed(): backpressure from a consumer to its peer.
#include "support/catch.hpp"
#include "transport/backend.hpp"

#include <atomic>
#include <deque>

using namespace troupe;
using namespace troupe_test;

TEST_CASE("feed: whole lines are passed on, in whatever pieces they arrive") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<std::pair<std::vector<std::string>, std::string>> {
    std::vector<std::string> lines;
    read_buffer buffer(1024);
    const auto take_line = [&lines](std::span<const std::byte> data) -> task<std::size_t> {
      const std::string text = text_of(data);
      const std::size_t end = text.find('\n');
      if (end == std::string::npos) co_return 0;
      lines.push_back(text.substr(0, end));
      co_return end + 1;
    };
    for (const char* piece : {"one\ntw", "o\n", "three\nfour\n", "rest"}) {
      must(co_await c.client.write_all(bytes_of(piece)));
    }
    c.client.close();
    must(co_await feed(c.server, buffer, take_line));
    co_return std::pair(lines, text_of(buffer.data()));
  };
  const auto [lines, rest] = must(rt.block_on(test(must(rt.block_on(make_connection())))));
  CHECK(lines == std::vector<std::string>{"one", "two", "three", "four"});
  CHECK(rest == "rest");
}

TEST_CASE("feed: a message beyond the buffer's limit is an error") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<result<void>> {
    read_buffer buffer(100);
    must(co_await c.client.write_all(bytes_of(std::string(200, 'x'))));
    const auto never = [](std::span<const std::byte>) -> task<std::size_t> { co_return 0; };
    co_return co_await feed(c.server, buffer, never);
  };
  const result<void> end = rt.block_on(test(must(rt.block_on(make_connection()))));
  REQUIRE(!end);
  CHECK(end.error() == std::make_error_code(std::errc::message_size));
  CHECK_THAT(end.error().to_string(), Catch::Contains("100 bytes"));
}

TEST_CASE("feed: the consumer's error ends it") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const auto test = [](connection c) -> task<result<void>> {
    read_buffer buffer(100);
    must(co_await c.client.write_all(bytes_of("bad")));
    const auto refuse = [](std::span<const std::byte>) -> task<result<std::size_t>> {
      co_return std::unexpected(error(make_error_code(errc::invalid_argument), "no such command"));
    };
    co_return co_await feed(c.server, buffer, refuse);
  };
  const result<void> end = rt.block_on(test(must(rt.block_on(make_connection()))));
  REQUIRE(!end);
  CHECK(end.error().text() == "no such command");
}

TEST_CASE(
    "feed: a sender much faster than the consumer is stopped by the kernel's window, and nothing is lost") {
  // The consumer takes nothing for a while. The sender must stop with no more bytes in flight than the
  // kernel's two buffers and ours hold.
  constexpr std::size_t total = 32 * 1024 * 1024;
  constexpr std::size_t limit = 64 * 1024;
  std::atomic<std::size_t> sent{0};
  std::atomic<std::size_t> taken{0};
  std::atomic<std::size_t> largest{0};  // the largest size of the buffer
  std::atomic<bool> in_order{true};
  std::atomic<bool> open{false};  // the consumer takes
  std::atomic<bool> done{false};
  result<void> end = std::unexpected(error(errc::not_found));
  connection c;

  const auto sender = [](tcp_stream s, std::atomic<std::size_t>& count) -> task<void> {
    std::vector<std::byte> piece(16 * 1024);
    std::size_t n = 0;
    while (n != total) {
      for (std::byte& b : piece) b = static_cast<std::byte>(n++ % 251);
      must(co_await s.write_all(piece));
      count.store(n);
    }
  };
  const auto consumer = [&](std::span<const std::byte> data) -> task<std::size_t> {
    while (!open.load()) co_await sleep_for(1ms);
    if (data.size() > largest.load()) largest.store(data.size());
    std::size_t at = taken.load();
    for (const std::byte b : data) {
      if (b != static_cast<std::byte>(at++ % 251)) in_order.store(false);
    }
    taken.store(at);
    co_return data.size();
  };
  const auto settled = [](std::atomic<std::size_t>& count) -> task<std::size_t> {
    for (std::size_t last = ~std::size_t{0};;) {
      co_await sleep_for(50ms);
      const std::size_t now = count.load();
      if (now == last && now != 0) co_return now;
      last = now;
    }
  };
  const auto receive = [&]() -> task<result<void>> {
    read_buffer buffer(limit);
    co_return co_await feed(c.server, buffer, consumer);
  };
  const auto receiver = [&]() -> task<void> {
    end = co_await receive();
    done.store(true);
  };

  // Last, so that it ends before the objects its tasks refer to. They copy and compare much in one slice.
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 2, .long_handler = 1s});
  c = must(rt.block_on(
      make_connection({.receive_buffer = 32 * 1024}, {.send_buffer = 32 * 1024, .write_deadline = 60s})));
  rt.spawn(sender(std::move(c.client), sent));
  rt.spawn(receiver());
  const std::size_t before = must(rt.block_on(settled(sent)));
  CHECK(before < total / 8);
  CHECK(taken.load() == 0);
  open.store(true);
  const auto wait_for = [](std::atomic<bool>& flag) -> task<void> {
    while (!flag.load()) co_await sleep_for(1ms);
  };
  CHECK(rt.block_on(with_timeout(wait_for(done), 30s)));
  CHECK(end);
  CHECK(taken.load() == total);
  CHECK(in_order.load());
  CHECK(largest.load() <= limit);
}
