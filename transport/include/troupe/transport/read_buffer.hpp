// A buffer between a stream and a parser.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace troupe {

/// A contiguous first-in-first-out buffer. It borrows memory when room is asked
/// for and gives it back as soon as it is empty, so that an idle connection
/// holds none: the first block comes from a small pool of the thread, larger
/// ones from the heap. Not thread-safe; may be moved between threads.
class read_buffer {
 public:
  /// The size of one block of the pool.
  static constexpr std::size_t block_bytes = 16 * 1024;

  /// Never holds more than `limit` bytes: the longest message a peer may send.
  explicit read_buffer(std::size_t limit = 1024 * 1024) noexcept : limit_(limit) {}
  read_buffer(read_buffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        limit_(other.limit_) {}
  read_buffer& operator=(read_buffer&& other) noexcept;
  ~read_buffer() { free_memory(); }

  /// The bytes that are read and not consumed. Valid until the next call that is not const.
  [[nodiscard]] std::span<const std::byte> data() const noexcept { return {memory_ + begin_, size()}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return end_ == begin_; }
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  /// Bytes of memory held now.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// Room behind the data for at least `at_least` more bytes, moving the data
  /// when it must; empty when that would exceed the limit.
  /// Errors: bad_alloc.
  [[nodiscard]] std::span<std::byte> prepare(std::size_t at_least);
  /// Room for a read of a useful size; less near the limit, and empty at the limit.
  [[nodiscard]] std::span<std::byte> prepare() { return prepare(std::min(worthwhile, limit_ - size())); }
  /// Makes the first `n` bytes that prepare() returned data.
  void commit(std::size_t n) noexcept { end_ += n; }
  /// Drops the oldest `n` bytes, at most size().
  void consume(std::size_t n) noexcept;
  /// Drops the newest bytes, so that `n` are left.
  void truncate(std::size_t n) noexcept {
    if (n < size()) end_ = begin_ + n;
    give_back();
  }
  /// Drops all data.
  void clear() noexcept {
    if (memory_ != nullptr) consume(size());
  }
  /// Gives back memory if there is no data: after a prepare() without a commit.
  void give_back() noexcept;

 private:
  static constexpr std::size_t worthwhile = 4096;
  void grow(std::size_t wanted);
  void free_memory() noexcept;

  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t limit_;
};

}  // namespace troupe
