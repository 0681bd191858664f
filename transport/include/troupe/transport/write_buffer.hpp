// An output buffer that encoders append to.
#pragma once

#include <troupe/transport/read_buffer.hpp>

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace troupe {

/// Grows at its end, is written from its front, and gives its memory back as soon
/// as it is empty: the same blocks as read_buffer. It has no limit of its own;
/// the caller that appends must see that it is written in time. Not thread-safe.
class write_buffer {
 public:
  write_buffer() noexcept : bytes_(~std::size_t{0} / 4) {}

  /// The bytes to be written. Valid until the next call that is not const.
  [[nodiscard]] std::span<const std::byte> data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// Bytes of memory held now.
  [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.capacity(); }

  /// Copies `piece` to the end; it must not be of this buffer.
  /// Errors: bad_alloc.
  void append(std::span<const std::byte> piece) {
    if (piece.empty()) return;
    std::memcpy(bytes_.prepare(piece.size()).data(), piece.data(), piece.size());
    bytes_.commit(piece.size());
  }
  void append(std::string_view text) { append(std::as_bytes(std::span(text.data(), text.size()))); }
  void append(std::byte b) { append(std::span(&b, 1)); }

  /// Room for at least `n` bytes behind the data, for encoders that write in place.
  [[nodiscard]] std::span<std::byte> prepare(std::size_t n) { return bytes_.prepare(n); }
  /// Makes the first `n` bytes that prepare() returned data.
  void commit(std::size_t n) noexcept { bytes_.commit(n); }
  /// Takes back the newest bytes, so that `n` are left: an encoder that fails half-way.
  void truncate(std::size_t n) noexcept { bytes_.truncate(n); }
  /// The oldest `n` bytes have been written.
  void consume(std::size_t n) noexcept { bytes_.consume(n); }

 private:
  read_buffer bytes_;
};

}  // namespace troupe
