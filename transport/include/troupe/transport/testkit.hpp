// A connection in memory, for tests of protocols. Works on a simulated runtime, where it is deterministic,
// and on threads.
//
//   auto [server, client] = troupe::testkit::duplex({.max_read = 1});   // one byte at a time
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace troupe::testkit {

/// Options of duplex().
struct duplex_options {
  /// The buffer of each direction, in bytes; a write waits for room.
  std::size_t capacity = 64 * 1024;
  /// The maximum size of one read, in bytes; simulates a peer whose messages arrive in pieces.
  std::size_t max_read = ~std::size_t{0};
};

namespace detail {
class pipe;
}

/// One end of a connection in memory: a waitable_reader, an async_writer, and half-closable. Move-only. Its
/// destructor closes it; then the other end reads the remaining bytes and the end of the stream, and its
/// writes fail.
/// Errors: closed after close(); broken_pipe for a write that the other end cannot read.
/// Threads: one end belongs to one strand; the two may be on different strands.
class memory_stream {
 public:
  memory_stream() noexcept = default;
  memory_stream(memory_stream&&) noexcept = default;
  memory_stream& operator=(memory_stream&& other) noexcept;
  ~memory_stream() { close(); }

  /// Reads at least one byte, waiting for it; 0 is the end of the stream.
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);
  /// Waits until a read finds bytes or the end of the stream.
  [[nodiscard]] task<result<void>> wait_readable();
  /// Reads without waiting; nullopt if there is nothing to read now.
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);
  /// Writes all of `bytes`, waiting for room.
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);
  /// Ends this half of the connection: the other end reads the end of the stream.
  result<void> shutdown_write();
  /// Ends both halves. Harmless when repeated.
  void close() noexcept;

  /// The number of reads that found something: each would be a system call.
  [[nodiscard]] std::size_t reads() const noexcept { return reads_; }
  /// The number of writes.
  [[nodiscard]] std::size_t writes() const noexcept { return writes_; }

 private:
  friend std::pair<memory_stream, memory_stream> duplex(duplex_options);

  std::shared_ptr<detail::pipe> in_;
  std::shared_ptr<detail::pipe> out_;
  std::size_t reads_ = 0;
  std::size_t writes_ = 0;
};

/// Creates a connection and returns its two ends.
[[nodiscard]] std::pair<memory_stream, memory_stream> duplex(duplex_options o = {});

}  // namespace troupe::testkit
