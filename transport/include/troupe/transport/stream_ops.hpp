// Common operations on a stream: read a known amount, read up to a delimiter, write
// several pieces, copy to another stream, close gracefully.
//
// All take any stream of async_io.hpp, by reference: streams and memory outlive the
// task. Errors are those of the streams, and the ones named below.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/async_io.hpp>
#include <troupe/transport/buffered.hpp>
#include <troupe/transport/detail/fill.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/write_buffer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace troupe {

namespace detail {

[[nodiscard]] error ended_early(std::string_view what, std::size_t came, std::size_t wanted);
[[nodiscard]] error no_delimiter_within(std::size_t limit);

/// Looks for a string of bytes in input that grows at its end; each byte is looked at once.
class delimiter_search {
 public:
  explicit delimiter_search(std::string_view delimiter) noexcept : delimiter_(delimiter) {}
  /// Where the first delimiter of `data` ends; 0: there is none so far.
  [[nodiscard]] std::size_t find(std::span<const std::byte> data) noexcept;

 private:
  std::string_view delimiter_;
  std::size_t seen_ = 0;  // no delimiter starts before this
};

/// Collects small pieces of a vectored write; what is left of `pieces` starts with a large one or is empty.
[[nodiscard]] std::span<const const_buffer> gather(std::span<const const_buffer> pieces, write_buffer& out);

}  // namespace detail

/// Fills `into`, which outlives the task.
/// Errors: those of the stream; std::errc::connection_aborted when it ends before that, with how many bytes
/// came in the text.
/// Cancellation: the bytes that have come are in `into`; how many is not known.
template <async_reader R>
task<result<void>> read_exactly(R& from, std::span<std::byte> into) {
  std::span<std::byte> rest = into;
  while (!rest.empty()) {
    const result<std::size_t> got = co_await from.read_some(rest);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) {
      co_return std::unexpected(detail::ended_early("read_exactly", into.size() - rest.size(), into.size()));
    }
    rest = rest.subspan(*got);
  }
  co_return result<void>();
}

/// Reads up to and with the first `delimiter`, which is not empty and outlives the task:
/// all of that, in the buffer of `from`, consumed, and in place until the next call that
/// reads. Empty at the end of the stream.
/// Errors: those of the stream; std::errc::connection_aborted when it ends behind some bytes, which stay in
/// data(); std::errc::message_size for more than `limit` bytes without a delimiter, or read_limit of `from`.
/// Cancellation: no byte is lost; what has come stays in data().
template <class Stream>
  requires async_reader<std::remove_reference_t<Stream>>
task<result<std::span<const std::byte>>> read_until(buffered<Stream>& from, std::string_view delimiter,
                                                    std::size_t limit) {
  detail::delimiter_search search(delimiter);
  for (;;) {
    const std::span<const std::byte> data = from.data();
    const std::size_t end = search.find(data.first(std::min(data.size(), limit)));
    if (end != 0) {
      from.consume(end);
      co_return data.first(end);
    }
    if (data.size() >= limit) co_return std::unexpected(detail::no_delimiter_within(limit));
    const result<std::size_t> got = co_await from.fill();
    if (!got) co_return std::unexpected(got.error());
    if (*got != 0) continue;
    if (from.data().empty()) co_return std::span<const std::byte>();
    co_return std::unexpected(detail::ended_early("read_until", from.data().size(), 0));
  }
}

/// Writes all pieces, in order, as if they were joined: with one call where the stream
/// is a vectored_writer; elsewhere small pieces are collected and large ones written alone.
/// The array and the pieces outlive the task.
/// Errors, Cancellation: as write_all() of the stream.
template <async_writer W>
task<result<void>> write_all(W& to, std::span<const const_buffer> pieces) {
  if constexpr (vectored_writer<W>) {
    co_return co_await to.write_all(pieces);
  } else {
    write_buffer small;
    while (!pieces.empty()) {
      pieces = detail::gather(pieces, small);
      if (!small.empty()) {
        result<void> sent = co_await to.write_all(small.data());
        if (!sent) co_return sent;
        small.consume(small.size());
      }
      if (pieces.empty()) break;
      result<void> sent = co_await to.write_all(pieces.front());
      if (!sent) co_return sent;
      pieces = pieces.subspan(1);
    }
    co_return result<void>();
  }
}

/// Copies `from` to `to` until `from` ends, and yields how many bytes that were. It reads
/// only when `to` has taken what was read before, so the slower of the two sets the pace.
/// To pass the end on, call shutdown_write() on `to` afterwards.
/// Errors: of either stream.
/// Cancellation: what was read and not yet written, at most 16 KiB, is lost.
/// Cost: 16 KiB, or nothing while it waits for a waitable_reader.
template <async_reader R, async_writer W>
task<result<std::uint64_t>> copy(R& from, W& to) {
  read_buffer buffer(read_buffer::block_bytes);
  for (std::uint64_t total = 0;;) {
    const result<std::size_t> got = co_await detail::fill(from, buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return total;
    result<void> sent = co_await to.write_all(buffer.data());
    if (!sent) co_return std::unexpected(std::move(sent.error()));
    total += *got;
    buffer.clear();
  }
}

namespace detail {

template <class S>
task<void> end_and_read_on(S& stream) {
  result<void> ended;
  if constexpr (std::same_as<decltype(stream.shutdown_write()), result<void>>) {
    ended = stream.shutdown_write();
  } else {
    ended = co_await stream.shutdown_write();
  }
  if (!ended) co_return;
  std::byte unheard[512];
  for (;;) {
    const result<std::size_t> got = co_await stream.read_some(unheard);
    if (!got || *got == 0) co_return;
  }
}

}  // namespace detail

/// Ends a connection so that its last bytes arrive: ends our half of the stream, then reads and discards
/// until the peer has ended the other, for `patience` at most; without patience, only what has come already.
/// Close the stream afterwards: a close with bytes unread would be a reset, which can overtake what was
/// written before it.
/// Errors: none; what fails on the way ends it.
template <class S>
  requires async_reader<S> && half_closable<S>
task<void> close_gracefully(S& stream, duration patience) {
  (void)co_await with_timeout(detail::end_and_read_on(stream), patience);
}

}  // namespace troupe
