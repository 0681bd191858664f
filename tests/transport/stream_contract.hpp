// What every kind of stream promises about a read that waits: the cases of tcp_stream and tls_stream call
// these.
#pragma once

#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <memory>

namespace troupe_test {

/// The outcome of a read that a task waits for. The task has a share: a check that fails ends the test before
/// it.
struct waiting_read {
  troupe::result<std::size_t> got = std::unexpected(troupe::error(troupe::errc::not_found));
  bool over = false;

  /// Starts it on `rt`, which runs it to its first wait when it is used next.
  template <class Runtime, class Stream>
  static std::shared_ptr<waiting_read> start(Runtime& rt, Stream& from) {
    auto outcome = std::make_shared<waiting_read>();
    rt.spawn([](Stream& s, std::shared_ptr<waiting_read> to) -> troupe::task<void> {
      std::byte chunk[8];
      to->got = co_await s.read_some(chunk);
      to->over = true;
    }(from, outcome));
    return outcome;
  }
};

/// A second read at the same time is refused, and the first goes on.
template <class Runtime, class Stream>
void refuses_a_second_read(Runtime& rt, Stream& reader, Stream& writer) {
  const auto first = waiting_read::start(rt, reader);
  const auto test =
      [](Stream& from, Stream& to,
         std::shared_ptr<waiting_read> read) -> troupe::task<std::pair<troupe::error, troupe::error>> {
    co_await troupe::sleep_for(10ms);
    std::byte chunk[8];
    const troupe::result<std::size_t> second = co_await from.read_some(chunk);
    const auto tried = from.try_read(chunk);
    must(co_await to.write_all(bytes_of("abc")));
    co_await until(read->over);
    co_return std::pair(second.error(), tried.error());
  };
  const auto [second, tried] = must(rt.block_on(test(reader, writer, first)));
  CHECK(second == troupe::errc::invalid_argument);
  CHECK(tried == troupe::errc::invalid_argument);
  REQUIRE(first->got);
  CHECK(*first->got == 3);
}

/// A read that waits ends with errc::closed when its stream is destroyed, or closed.
template <class Runtime, class Stream>
void ends_a_waiting_read(Runtime& rt, Stream stream, bool destroy) {
  auto s = std::make_unique<Stream>(std::move(stream));
  const auto read = waiting_read::start(rt, *s);
  const auto end_soon = [](std::unique_ptr<Stream>& open, bool whole,
                           std::shared_ptr<waiting_read> waits) -> troupe::task<void> {
    co_await troupe::sleep_for(10ms);
    if (whole) {
      open.reset();
    } else {
      open->close();
    }
    co_await until(waits->over);
  };
  must(rt.block_on(end_soon(s, destroy, read)));
  REQUIRE(!read->got);
  CHECK(read->got.error() == troupe::errc::closed);
}

}  // namespace troupe_test
