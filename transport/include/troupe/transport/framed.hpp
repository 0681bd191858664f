// A stream of frames: a codec (codec.hpp) over a stream.
//
//   troupe::task<void> echo(troupe::tcp_stream s) {
//     troupe::framed f(std::move(s), troupe::line_codec({.max_line = 1024}));
//     for (;;) {
//       const auto line = co_await f.next();
//       if (!line || !*line) co_return;              // an error, or the end of the stream
//       if (!co_await f.queue(**line)) co_return;    // leaves when next() has to read again
//     }
//   }
//
// Buffered frames are delivered without suspending, without copying, and without
// an allocation for each frame; frames queued meanwhile leave with one system call.
// So a peer that sends many small frames at once is answered at the cost of one
// read and one write.
#pragma once

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
#include <troupe/transport/async_io.hpp>
#include <troupe/transport/buffered.hpp>
#include <troupe/transport/codec.hpp>

#include <algorithm>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

namespace troupe {

struct framed_options {
  /// How long a frame may take to come once its first byte is there and more of it is
  /// waited for: against peers that send a byte now and then. How long the first
  /// byte may take is the stream's read_deadline.
  duration frame_deadline = std::chrono::seconds(30);
  /// Output is collected up to this, in bytes, and then written.
  std::size_t write_chunk = 16 * 1024;
};

namespace detail {

/// `got`, with an error text if with_timeout gave up.
[[nodiscard]] result<std::size_t> name_frame_deadline(result<std::size_t> got, std::string_view codec,
                                                      std::size_t came);
/// The time left until `due`, on this worker's clock.
[[nodiscard]] duration time_until(std::int64_t due) noexcept;

}  // namespace detail

/// A stream of frames, over a stream that it owns or borrows (buffered.hpp). Buffers no more than the codec's
/// max_encoded(), or one block of 16 KiB where that is less, and shows the codec never more than
/// max_encoded(). One task reads, and one writes; where they are not the same task, only the one that writes
/// calls queue().
/// Errors: those of the stream and of the codec. All are final but the deadlines of reading, and a frame that
/// the codec refuses to encode.
/// Threads: one strand, as the stream.
/// Cancellation: a cancelled read loses no byte. A cancelled write may have sent a part: then the stream
/// cannot be written any more.
template <class Stream, frame_decoder Codec>
class framed {
 public:
  using stream_type = std::remove_reference_t<Stream>;
  using frame_type = typename Codec::frame_type;
  using next_result = result<std::optional<frame_type>>;

  framed(Stream s, Codec c, framed_options o = {})
      : io_(std::forward<Stream>(s), {.read_limit = std::max(c.max_encoded(), read_buffer::block_bytes),
                                      .write_chunk = o.write_chunk}),
        codec_(std::move(c)),
        frame_deadline_(o.frame_deadline) {}

  [[nodiscard]] Codec& codec() noexcept { return codec_; }
  [[nodiscard]] stream_type& stream() noexcept { return io_.stream(); }
  /// The stream below the frames, with the bytes still buffered, for when another protocol takes over.
  [[nodiscard]] buffered<Stream>& bytes() noexcept { return io_; }

  // -- reading ----------------------------------------------------------------

  class next_awaiter;
  class batch;
  class batch_awaiter;

  /// Yields the next frame; nullopt at the end of the stream between two frames. The bytes that the frame
  /// points to stay in place until the next call that reads. Await it in the same expression.
  /// Errors: those of the class; an end inside a frame, with how much was missing; frame_deadline.
  /// Blocks: not when a whole frame is buffered, except for the strand's budget; otherwise writes what is
  /// queued, and reads.
  [[nodiscard]] next_awaiter next() noexcept
    requires async_reader<stream_type>
  {
    return next_awaiter(*this);
  }

  /// Yields at least one frame, and all others that are buffered behind it; empty at the end of the stream. A
  /// single-pass range that decodes as it goes.
  /// Errors: as next(). One after the first frame ends the batch, and the next call yields it.
  [[nodiscard]] batch_awaiter next_batch() noexcept
    requires async_reader<stream_type>
  {
    return batch_awaiter(*this);
  }

  /// Yields a frame that is buffered as a whole, or nullopt.
  /// Errors: those of the codec.
  /// Blocks: never.
  [[nodiscard]] next_result try_next() {
    found f;
    decode(f);
    return deliver(f);
  }

  // -- writing ----------------------------------------------------------------

  class write_awaiter;

  /// Encodes `frame` at once, into the output: it leaves with the next send(), flush(),
  /// or next() that has to read, or when write_chunk bytes are there.
  /// Errors: those of the class. A frame that the codec refuses leaves nothing behind.
  /// Blocks: only when write_chunk bytes are there.
  template <class Frame>
    requires async_writer<stream_type> && frame_encoder<Codec, Frame>
  [[nodiscard]] write_awaiter queue(const Frame& frame) {
    return write_awaiter(*this, encode(frame), false);
  }
  /// Encodes `frame` at once, and waits until the stream has taken it, and what was queued before.
  template <class Frame>
    requires async_writer<stream_type> && frame_encoder<Codec, Frame>
  [[nodiscard]] write_awaiter send(const Frame& frame) {
    return write_awaiter(*this, encode(frame), true);
  }
  /// Sends each frame of `frames`, which stays in place meanwhile, with as few writes
  /// as write_chunk allows.
  /// Errors: those of the class. Ends at the first frame that the codec refuses, and keeps the ones before it
  /// queued.
  template <class Frames>
    requires async_writer<stream_type>
  [[nodiscard]] task<result<void>> send_all(const Frames& frames) {
    for (const auto& frame : frames) {
      result<void> queued = co_await queue(frame);
      if (!queued) co_return queued;
    }
    co_return co_await io_.flush();
  }
  /// Waits until the stream has taken all that was queued.
  [[nodiscard]] task<result<void>> flush()
    requires async_writer<stream_type>
  {
    return io_.flush();
  }
  /// Flushes, then ends our half of the stream.
  [[nodiscard]] task<result<void>> shutdown_write()
    requires async_writer<stream_type> && half_closable<stream_type>
  {
    return io_.shutdown_write();
  }

 private:
  static constexpr std::int64_t not_begun = INT64_MAX;

  // The result of decoding. A frame is consumed when it is delivered, and not before:
  // a wait that is cancelled in between loses nothing.
  struct found {
    next_result frame = std::nullopt;
    std::size_t bytes = 0;
    bool final = false;  // a frame, an error, or the end: nothing more to read
  };

  void decode(found& f) {
    if (io_.data().size() >= needed_) take(detail::decode_front(codec_, io_.data()), f);
  }

  void take(result<decoded<frame_type>> step, found& f) {
    if (!step) return fail(f, std::move(step.error()));
    if (!step->frame) {
      needed_ = step->bytes;
      return;
    }
    f.frame = std::move(step->frame);
    f.bytes = step->bytes;
    f.final = true;
  }

  static void fail(found& f, error why) {
    f.frame = std::unexpected(std::move(why));
    f.final = true;
  }

  next_result deliver(found& f) {
    if (f.bytes != 0) {
      io_.consume(f.bytes);
      needed_ = 1;
      frame_due_ = not_begun;
    }
    return std::move(f.frame);
  }

  // The functions below are called between two waits of read_frame(), out of line: its
  // frame, which lives as long as the connection idles, must not hold their temporaries.

  TROUPE_NOINLINE void after_read(result<std::size_t> got, found& f) {
    if (!got) return fail(f, std::move(got.error()));
    if (*got != 0) return decode(f);
    // The end: a clean one, or inside a frame.
    if (!io_.data().empty()) take(detail::decode_rest(codec_, io_.data(), needed_), f);
    f.final = true;
  }

  // False when there is nothing to read now.
  TROUPE_NOINLINE bool try_read(found& f)
    requires waitable_reader<stream_type>
  {
    result<std::optional<std::size_t>> got = io_.try_fill();
    if (got && !*got) return false;
    after_read(detail::filled(got), f);
    return true;
  }

  TROUPE_NOINLINE static void after_step(result<void> done, found& f) {
    if (!done) fail(f, std::move(done.error()));
  }

  [[nodiscard]] TROUPE_NOINLINE bool wants_flush() noexcept {
    // Output that another task is writing is left to that task.
    const write_buffer* const out = io_.collected();
    return out != nullptr && !out->empty();
  }

  task<void> read_frame(found& f) {
    if constexpr (async_writer<stream_type>) {
      if (wants_flush()) after_step(io_.end_write(co_await stream().write_all(io_.begin_write())), f);
    }
    while (!f.final) {
      if (!io_.data().empty() && frame_deadline_ != forever) {
        after_read(co_await fill_in_time(), f);
      } else if constexpr (waitable_reader<stream_type>) {
        if (!try_read(f)) after_step(co_await stream().wait_readable(), f);
      } else {
        after_read(co_await io_.fill(), f);
      }
    }
  }

  task<result<std::size_t>> fill_in_time() {
    if (frame_due_ == not_begun) frame_due_ = detail::due_in(frame_deadline_);
    result<std::size_t> got = co_await with_timeout(io_.fill(), detail::time_until(frame_due_));
    // Not the timeout: the calling coroutine is being stopped, and unwinds at this await.
    if (!got && got.error() == errc::cancelled) co_await sleep_for(duration::zero());
    co_return detail::name_frame_deadline(std::move(got), Codec::name, io_.data().size());
  }

  template <class Frame>
  result<void> encode(const Frame& frame) {
    write_buffer* const out = io_.collected();
    if (out == nullptr) return std::unexpected(io_.write_refusal());
    const std::size_t before = out->size();
    result<void> done = codec_.encode(frame, *out);
    if (!done) out->truncate(before);
    return done;
  }

  buffered<Stream> io_;
  Codec codec_;
  std::size_t needed_ = 1;  // bytes that must be there before decode() is worth a call
  duration frame_deadline_;
  std::int64_t frame_due_ = not_begun;  // when the frame that has begun must be complete
};

template <class S, class C>
framed(S&&, C) -> framed<S, C>;
template <class S, class C>
framed(S&&, C, framed_options) -> framed<S, C>;

/// What next() returns.
template <class Stream, frame_decoder Codec>
class [[nodiscard]] framed<Stream, Codec>::next_awaiter {
 public:
  explicit next_awaiter(framed& f) noexcept : framed_(f) {}

  [[nodiscard]] bool await_ready() {
    framed_.decode(found_);
    return found_.final && detail::consume_budget();
  }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) {
    if (found_.final) {
      // There is a frame, but the slice's budget is spent: others come first.
      detail::defer(parent.promise());
      return std::noop_coroutine();
    }
    reading_ = framed_.read_frame(found_);
    return std::move(reading_).operator co_await().await_suspend(parent);
  }
  next_result await_resume() {
    if (reading_) std::move(reading_).operator co_await().await_resume();  // rethrows
    return framed_.deliver(found_);
  }

 private:
  friend class batch_awaiter;
  framed& framed_;
  found found_;
  task<void> reading_;
};

/// Frames that came together. Valid until the next call that reads.
template <class Stream, frame_decoder Codec>
class framed<Stream, Codec>::batch {
 public:
  class iterator {
   public:
    using value_type = frame_type;
    using difference_type = std::ptrdiff_t;

    explicit iterator(batch& b) noexcept : batch_(&b) {}
    const frame_type& operator*() const noexcept { return *batch_->current_; }
    const frame_type* operator->() const noexcept { return &*batch_->current_; }
    iterator& operator++() {
      batch_->advance();
      return *this;
    }
    void operator++(int) { batch_->advance(); }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept {
      return !i.batch_->current_;
    }

   private:
    batch* batch_;
  };

  batch(framed& f, std::optional<frame_type> first) : framed_(&f), current_(std::move(first)) {}

  /// The end of the stream.
  [[nodiscard]] bool empty() const noexcept { return !current_; }
  [[nodiscard]] iterator begin() noexcept { return iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void advance() {
    next_result found = framed_->try_next();
    current_ = found ? std::move(*found) : std::nullopt;
  }

  framed* framed_;
  std::optional<frame_type> current_;
};

/// What next_batch() returns.
template <class Stream, frame_decoder Codec>
class [[nodiscard]] framed<Stream, Codec>::batch_awaiter : private next_awaiter {
 public:
  explicit batch_awaiter(framed& f) noexcept : next_awaiter(f) {}

  using next_awaiter::await_ready;
  using next_awaiter::await_suspend;
  result<batch> await_resume() {
    next_result first = next_awaiter::await_resume();
    if (!first) return std::unexpected(std::move(first.error()));
    return batch(this->framed_, std::move(*first));
  }
};

/// What queue() and send() return.
template <class Stream, frame_decoder Codec>
class [[nodiscard]] framed<Stream, Codec>::write_awaiter {
 public:
  write_awaiter(framed& f, result<void> encoded, bool flush) noexcept
      : framed_(f), done_(std::move(encoded)), flush_(flush) {}

  [[nodiscard]] bool await_ready() const noexcept {
    if (!done_) return true;
    const write_buffer* const out = framed_.io_.collected();
    return !flush_ && out != nullptr && out->size() < framed_.io_.write_chunk();
  }
  template <detail::troupe_promise P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) {
    writing_ = framed_.io_.flush();
    return std::move(writing_).operator co_await().await_suspend(parent);
  }
  result<void> await_resume() {
    if (writing_) return std::move(writing_).operator co_await().await_resume();
    return std::move(done_);
  }

 private:
  framed& framed_;
  result<void> done_;
  task<result<void>> writing_;
  bool flush_;
};

}  // namespace troupe
