// For tests of protocols: a connection in memory, which works on the simulated
// runtime, where it is exact, as well as on threads.
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

struct duplex_options {
  /// The capacity of each direction, in bytes; a write waits for room.
  std::size_t capacity = 64 * 1024;
  /// The most that one read yields, in bytes: a peer whose messages come in pieces.
  std::size_t max_read = ~std::size_t{0};
};

namespace detail {
class pipe;
}

/// One end of a connection in memory: a waitable_reader, an async_writer, and half-closable.
/// Move-only; closes in its destructor, after which the other end reads what is left and
/// then the end, and its writes fail. One end belongs to one strand; the two may differ.
class memory_stream {
 public:
  memory_stream() noexcept = default;
  memory_stream(memory_stream&&) noexcept = default;
  memory_stream& operator=(memory_stream&& other) noexcept;
  ~memory_stream() { close(); }

  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into);
  [[nodiscard]] task<result<void>> wait_readable();
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into);
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes);
  result<void> shutdown_write();
  void close() noexcept;

  /// Reads that found data, and writes that were begun, so far: they stand for system calls.
  [[nodiscard]] std::size_t reads() const noexcept { return reads_; }
  [[nodiscard]] std::size_t writes() const noexcept { return writes_; }

 private:
  friend std::pair<memory_stream, memory_stream> duplex(duplex_options);

  std::shared_ptr<detail::pipe> in_;
  std::shared_ptr<detail::pipe> out_;
  std::size_t reads_ = 0;
  std::size_t writes_ = 0;
};

/// Both ends of a new connection.
[[nodiscard]] std::pair<memory_stream, memory_stream> duplex(duplex_options o = {});

}  // namespace troupe::testkit
