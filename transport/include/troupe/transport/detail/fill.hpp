// How bytes get from a stream into a buffer: the one loop behind feed(), buffered
// and framed. Internal to Troupe.
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/async_io.hpp>
#include <troupe/transport/read_buffer.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace troupe::detail {

[[nodiscard]] error buffer_full(const read_buffer& b);

/// One attempt to read into `buffer`: how many bytes came, 0 at the end, nullopt
/// when there is nothing now. Out of line: it is called from coroutines, whose
/// frames would otherwise keep its temporaries.
template <waitable_reader R>
TROUPE_NOINLINE result<std::optional<std::size_t>> try_fill(R& from, read_buffer& buffer) {
  const std::span<std::byte> room = buffer.prepare();
  if (room.empty()) return std::unexpected(buffer_full(buffer));
  result<std::optional<std::size_t>> got = from.try_read(room);
  if (got && *got) buffer.commit(**got);
  buffer.give_back();
  return got;
}

/// After a wait: the next attempt, or why there is none.
template <waitable_reader R>
TROUPE_NOINLINE void retry_fill(result<void> readable, R& from, read_buffer& buffer,
                                result<std::optional<std::size_t>>& got) {
  if (readable) {
    got = try_fill(from, buffer);
  } else {
    got = std::unexpected(std::move(readable.error()));
  }
}

[[nodiscard]] result<std::size_t> filled(result<std::optional<std::size_t>>& got);

/// Reads once: yields how many bytes were added to `buffer`, 0 at the end of the
/// stream. A waitable reader waits without memory when the buffer is empty.
/// `from` and `buffer` outlive the task.
template <waitable_reader R>
task<result<std::size_t>> fill(R& from, read_buffer& buffer) {
  result<std::optional<std::size_t>> got = try_fill(from, buffer);
  while (got && !*got) retry_fill(co_await from.wait_readable(), from, buffer, got);
  co_return filled(got);
}

template <async_reader R>
task<result<std::size_t>> fill(R& from, read_buffer& buffer) {
  const std::span<std::byte> room = buffer.prepare();
  if (room.empty()) co_return std::unexpected(buffer_full(buffer));
  result<std::size_t> got = co_await from.read_some(room);
  if (got) buffer.commit(*got);
  buffer.give_back();
  co_return got;
}

}  // namespace troupe::detail
