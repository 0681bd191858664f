// Reads a stream no faster than its consumer takes.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/async_io.hpp>
#include <troupe/transport/detail/fill.hpp>
#include <troupe/transport/read_buffer.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace troupe {

namespace detail {

template <class T>
concept taken_bytes = std::same_as<T, std::size_t> || std::same_as<T, result<std::size_t>>;

}  // namespace detail

/// A consumer of bytes: `task<std::size_t>` or `task<result<std::size_t>>`
/// from a span that stays valid until that task ends. It yields how many bytes
/// it took; 0 means that it needs more. An error ends the feed.
template <class F>
concept byte_consumer = requires(F& f, std::span<const std::byte> data) {
  requires detail::taken_bytes<detail::await_result_t<decltype(f(data))>>;
};

/// Feeds `on_data` from `from` until the stream ends. The next read waits until the consumer
/// has taken what it can, so a consumer that awaits, say, room in a mailbox
/// pauses the reading, the TCP window fills, and the peer is slowed down.
/// At the end of the stream an incomplete message is what is left in `buffer`.
/// `from` and `buffer` outlive the task.
/// Errors: those of the stream and of the consumer; a message that does not fit into `buffer`.
/// Cancellation: what is not consumed stays in `buffer`.
/// Cost: at most `buffer.limit()` bytes, and, if the stream is a waitable_reader, none while it waits for the
/// peer with everything consumed.
template <async_reader Stream, byte_consumer F>
task<result<void>> feed(Stream& from, read_buffer& buffer, F on_data) {
  for (;;) {
    const result<std::size_t> got = co_await detail::fill(from, buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return result<void>();
    while (!buffer.empty()) {
      const result<std::size_t> taken = co_await on_data(buffer.data());
      if (!taken) co_return std::unexpected(taken.error());
      if (*taken == 0) break;
      buffer.consume(*taken);
    }
  }
}

}  // namespace troupe
