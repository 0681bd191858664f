// A stream with a read buffer and a write buffer.
//
//   troupe::buffered in(std::move(stream));            // owns the stream
//   troupe::buffered in(stream);                       // borrows it: the stream outlives it
//
// Owned by one strand, as the stream is. Neither buffer holds memory while it is
// empty, so an idle connection costs none.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/transport/async_io.hpp>
#include <troupe/transport/detail/fill.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/write_buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace troupe {

struct buffer_options {
  /// The most that may be read and not yet consumed, in bytes.
  std::size_t read_limit = 1024 * 1024;
  /// Output is collected up to this, in bytes, and then written.
  std::size_t write_chunk = 16 * 1024;
};

namespace detail {

/// A stream that is owned (S) or borrowed (S&).
template <class S>
class held_stream {
 public:
  explicit held_stream(S s) noexcept : stream_(std::move(s)) {}
  [[nodiscard]] S& get() noexcept { return stream_; }

 private:
  S stream_;
};

template <class S>
class held_stream<S&> {
 public:
  explicit held_stream(S& s) noexcept : stream_(std::addressof(s)) {}
  [[nodiscard]] S& get() noexcept { return *stream_; }

 private:
  S* stream_;
};

enum class writing : std::uint8_t { idle, under_way, failed };
[[nodiscard]] error write_refused(writing state);

}  // namespace detail

/// Is a stream of the same kind as the one it wraps: reads what is buffered first,
/// and collects what is written until flush().
/// Errors: those of the stream. After a write that failed, or was stopped half-way, the stream cannot be
/// written any more, for part of the bytes may have been sent: closed, or invalid_argument after a stop.
/// Threads: one strand, as the stream.
/// Cancellation: a cancelled read loses no byte; for a write see Errors.
template <class Stream>
class buffered {
 public:
  using stream_type = std::remove_reference_t<Stream>;

  explicit buffered(Stream s, buffer_options o = {})
      : stream_(std::forward<Stream>(s)), in_(o.read_limit), write_chunk_(o.write_chunk) {}

  /// The stream itself. What is buffered has been read from it, or not yet written to it.
  [[nodiscard]] stream_type& stream() noexcept { return stream_.get(); }

  // -- reading ----------------------------------------------------------------

  /// The bytes that are read and not consumed. They stay in place until the next call that reads.
  [[nodiscard]] std::span<const std::byte> data() const noexcept { return in_.data().subspan(done_); }
  /// Consumes the oldest `n` bytes of data(); they are dropped when more is read.
  void consume(std::size_t n) noexcept { done_ += std::min(n, in_.size() - done_); }

  /// Reads once more behind data(), and yields how many bytes came; 0 at the end of
  /// the stream.
  /// Errors: those of the class; std::errc::message_size when read_limit bytes are there already.
  [[nodiscard]] task<result<std::size_t>> fill()
    requires async_reader<stream_type>
  {
    drop_consumed();
    return detail::fill(stream(), in_);
  }

  /// As fill(), without waiting: nullopt when there is nothing now.
  [[nodiscard]] result<std::optional<std::size_t>> try_fill()
    requires waitable_reader<stream_type>
  {
    drop_consumed();
    return detail::try_fill(stream(), in_);
  }

  /// As a stream: async_reader.
  [[nodiscard]] task<result<std::size_t>> read_some(std::span<std::byte> into)
    requires async_reader<stream_type>
  {
    if (data().empty()) {
      drop_consumed();
      // A large read gains nothing from a copy.
      if (into.size() >= read_buffer::block_bytes) co_return co_await stream().read_some(into);
      result<std::size_t> got = co_await detail::fill(stream(), in_);
      if (!got || *got == 0) co_return got;
    }
    co_return take(into);
  }

  /// As a stream: waitable_reader.
  [[nodiscard]] task<result<void>> wait_readable()
    requires waitable_reader<stream_type>
  {
    if (!data().empty()) co_return result<void>();
    drop_consumed();
    co_return co_await stream().wait_readable();
  }
  [[nodiscard]] result<std::optional<std::size_t>> try_read(std::span<std::byte> into)
    requires waitable_reader<stream_type>
  {
    if (!data().empty()) return take(into);
    drop_consumed();
    return stream().try_read(into);
  }

  // -- writing ----------------------------------------------------------------

  /// Collects `bytes`.
  /// Blocks: when there are write_chunk of them, until all are written.
  [[nodiscard]] task<result<void>> write_all(std::span<const std::byte> bytes)
    requires async_writer<stream_type>
  {
    if (writing_ != detail::writing::idle) co_return std::unexpected(detail::write_refused(writing_));
    // A large piece goes by itself, behind what was there before it.
    const bool large = bytes.size() >= write_chunk_;
    if (!large) out_.append(bytes);
    if (large || out_.size() >= write_chunk_) {
      result<void> sent = co_await flush();
      if (!sent || !large) co_return sent;
      writing_ = detail::writing::under_way;
      co_return end_write(co_await stream().write_all(bytes));
    }
    co_return result<void>();
  }

  /// Waits until the stream has taken all that was collected.
  [[nodiscard]] task<result<void>> flush()
    requires async_writer<stream_type>
  {
    if (writing_ != detail::writing::idle) co_return std::unexpected(detail::write_refused(writing_));
    if (out_.empty()) co_return result<void>();
    co_return end_write(co_await stream().write_all(begin_write()));
  }

  /// Flushes, then ends our half of the stream.
  [[nodiscard]] task<result<void>> shutdown_write()
    requires async_writer<stream_type> && half_closable<stream_type>
  {
    result<void> sent = co_await flush();
    if (!sent) co_return sent;
    if constexpr (std::same_as<decltype(stream().shutdown_write()), result<void>>) {
      co_return stream().shutdown_write();
    } else {
      co_return co_await stream().shutdown_write();
    }
  }

  /// flush() in two steps, for callers that save its coroutine: begin_write() yields the bytes to
  /// write, not empty; end_write() takes the result. In between collected() is null, and it
  /// stays null if the write is stopped half-way.
  [[nodiscard]] std::span<const std::byte> begin_write() noexcept {
    writing_ = detail::writing::under_way;
    return out_.data();
  }
  TROUPE_NOINLINE result<void> end_write(result<void> sent) noexcept {
    writing_ = sent ? detail::writing::idle : detail::writing::failed;
    if (sent) out_.consume(out_.size());
    return sent;
  }

  /// Output that is collected, for encoders that append to it; null while a write is
  /// under way or after one that failed.
  [[nodiscard]] write_buffer* collected() noexcept {
    return writing_ == detail::writing::idle ? &out_ : nullptr;
  }
  /// Why collected() is null.
  [[nodiscard]] error write_refusal() const { return detail::write_refused(writing_); }
  [[nodiscard]] std::size_t write_chunk() const noexcept { return write_chunk_; }

  /// Bytes of memory that both buffers hold now.
  [[nodiscard]] std::size_t memory() const noexcept { return in_.capacity() + out_.capacity(); }

 private:
  void drop_consumed() noexcept { in_.consume(std::exchange(done_, 0)); }
  std::size_t take(std::span<std::byte> into) noexcept {
    const std::size_t n = std::min(into.size(), data().size());
    if (n != 0) std::memcpy(into.data(), data().data(), n);
    consume(n);
    return n;
  }

  detail::held_stream<Stream> stream_;
  read_buffer in_;
  std::size_t done_ = 0;  // bytes at the front of in_ that are consumed
  write_buffer out_;
  std::size_t write_chunk_;
  detail::writing writing_ = detail::writing::idle;
};

template <class S>
buffered(S&&) -> buffered<S>;
template <class S>
buffered(S&&, buffer_options) -> buffered<S>;

}  // namespace troupe
