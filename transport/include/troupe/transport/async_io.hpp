// The concepts of a byte stream: tcp_stream models all of them, and so may a
// user's own type. Everything in transport that reads or writes a stream
// (feed, buffered, framed, copy, split) asks for no more than it needs of these.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/const_buffer.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>

namespace troupe {

namespace detail {

/// `A` can be awaited, and yields a T.
template <class A, class T>
concept awaitable_of = std::same_as<await_result_t<A>, T>;

}  // namespace detail

/// `co_await s.read_some(into)`: at least one byte, at most into.size(); 0 is the
/// end of the stream. One read is under way at a time. A stopped owner ends it.
template <class S>
concept async_reader = requires(S& s, std::span<std::byte> into) {
  { s.read_some(into) } -> detail::awaitable_of<result<std::size_t>>;
};

/// A reader that can wait without a buffer, so that an idle connection holds none.
/// wait_readable() may return spuriously; try_read() never waits: nothing now
/// (nullopt), or as read_some().
template <class S>
concept waitable_reader = async_reader<S> && requires(S& s, std::span<std::byte> into) {
  { s.wait_readable() } -> detail::awaitable_of<result<void>>;
  { s.try_read(into) } -> std::same_as<result<std::optional<std::size_t>>>;
};

/// `co_await s.write_all(bytes)`: all of them have been taken, or there is an error
/// and the stream cannot be written any more. The bytes stay in place meanwhile.
template <class S>
concept async_writer = requires(S& s, const_buffer bytes) {
  { s.write_all(bytes) } -> detail::awaitable_of<result<void>>;
};

/// A writer that takes several pieces in one call to the kernel; for others
/// troupe::write_all() gathers them.
template <class S>
concept vectored_writer = async_writer<S> && requires(S& s, std::span<const const_buffer> pieces) {
  { s.write_all(pieces) } -> detail::awaitable_of<result<void>>;
};

/// A writer that can be shut down while reading goes on. Where that sends a
/// message, as in TLS, it is awaited.
template <class S>
concept half_closable = requires(S& s) {
  { s.shutdown_write() } -> std::same_as<result<void>>;
} || requires(S& s) {
  { s.shutdown_write() } -> detail::awaitable_of<result<void>>;
};

template <class S>
concept async_stream = async_reader<S> && async_writer<S>;

}  // namespace troupe
