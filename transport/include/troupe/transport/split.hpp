// The two directions of a stream as two objects.
//
//   auto [in, out] = troupe::split(std::move(stream));
//
// For one coroutine that reads and another that writes, where neither is the other's
// owner, such as two interleaved handlers of an actor, or two framed<> over one stream.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/transport/async_io.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace troupe {

/// The reading half. The halves share the stream: it ends when both are gone, so they may end
/// in any order.
/// Errors, Cancellation: as the stream.
/// Threads: one strand for both, as the stream.
template <async_reader Stream>
class read_half {
 public:
  explicit read_half(std::shared_ptr<Stream> s) noexcept : stream_(std::move(s)) {}
  read_half(read_half&&) noexcept = default;
  read_half& operator=(read_half&&) noexcept = default;

  [[nodiscard]] auto read_some(std::span<std::byte> into) { return stream_->read_some(into); }
  [[nodiscard]] auto wait_readable()
    requires waitable_reader<Stream>
  {
    return stream_->wait_readable();
  }
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into)
    requires waitable_reader<Stream>
  {
    return stream_->try_read(into);
  }
  /// The whole stream: its options, its close().
  [[nodiscard]] Stream& stream() const noexcept { return *stream_; }

 private:
  std::shared_ptr<Stream> stream_;
};

/// The writing half. Its destructor does not shut the direction down: the peer would take a
/// crash for an orderly end. Call shutdown_write().
template <async_writer Stream>
class write_half {
 public:
  explicit write_half(std::shared_ptr<Stream> s) noexcept : stream_(std::move(s)) {}
  write_half(write_half&&) noexcept = default;
  write_half& operator=(write_half&&) noexcept = default;

  [[nodiscard]] auto write_all(std::span<const std::byte> bytes) { return stream_->write_all(bytes); }
  [[nodiscard]] auto write_all(std::span<const const_buffer> pieces)
    requires vectored_writer<Stream>
  {
    return stream_->write_all(pieces);
  }
  /// The peer reads the end of the stream; the other half goes on.
  auto shutdown_write()
    requires half_closable<Stream>
  {
    return stream_->shutdown_write();
  }
  /// The whole stream: its options, its close().
  [[nodiscard]] Stream& stream() const noexcept { return *stream_; }

 private:
  std::shared_ptr<Stream> stream_;
};

/// Parts a stream into its directions. No operation on it is under way.
/// Cost: one allocation.
template <async_stream Stream>
[[nodiscard]] std::pair<read_half<Stream>, write_half<Stream>> split(Stream s) {
  auto shared = std::make_shared<Stream>(std::move(s));
  return {read_half<Stream>(shared), write_half<Stream>(shared)};
}

}  // namespace troupe
