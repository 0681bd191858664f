// Memory for read buffers: each thread keeps a few blocks for the next reader.
//
// Blocks of one size and of twice, four, eight times that: what a read_buffer grows through. A reader that
// finds data gives its block back as soon as the data is parsed, so a worker needs one block, and a few more
// where parsing has to wait. Only for read_buffer.cpp: a coroutine must not inline an access to a
// thread-local (slab.hpp).
#pragma once

#include <troupe/runtime/config.hpp>
#include <troupe/transport/read_buffer.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

namespace troupe::detail {

/// The blocks that a thread keeps. Trivial, so that using it takes no initialization and it can be looked at
/// when the thread's other thread-locals are gone.
struct block_cache {
  static constexpr std::size_t smallest = read_buffer::block_bytes;
  static constexpr std::size_t sizes = 4;
  static constexpr std::array<std::uint8_t, sizes> most{8, 4, 2, 1};  // of each: half a megabyte at most
  static_assert(std::has_single_bit(smallest));

  /// The index of the size `bytes`; `sizes` if blocks of that size are not kept.
  [[nodiscard]] static std::size_t size_of(std::size_t bytes) noexcept {
    const auto s = static_cast<std::size_t>(std::countr_zero(bytes) - std::countr_zero(smallest));
    return s < sizes && bytes == smallest << s ? s : sizes;
  }

  std::array<std::array<std::byte*, most[0]>, sizes> blocks;
  std::array<std::uint8_t, sizes> count;
  std::array<std::uint8_t, sizes> places;  // 0 before the thread's first return_block(), and when it ends
  bool over;
};
TROUPE_QUICK_TLS extern constinit thread_local block_cache block_cache_of_thread;

/// For a block of a size without a free place: frees it, or makes the places.
void return_without_place(std::byte* block, std::size_t bytes) noexcept;

/// `bytes` of memory, from this thread's pool when it has such a block. Throws bad_alloc.
[[nodiscard]] inline std::byte* borrow_block(std::size_t bytes) {
  block_cache& cache = block_cache_of_thread;
  const std::size_t s = block_cache::size_of(bytes);
  if (s != block_cache::sizes && cache.count[s] != 0) [[likely]]
    return cache.blocks[s][--cache.count[s]];
  return static_cast<std::byte*>(::operator new(bytes));
}

/// Gives it back, with the same `bytes`, to the pool of this thread.
inline void return_block(std::byte* block, std::size_t bytes) noexcept {
  block_cache& cache = block_cache_of_thread;
  const std::size_t s = block_cache::size_of(bytes);
  if (s != block_cache::sizes && cache.count[s] < cache.places[s]) [[likely]] {
    cache.blocks[s][cache.count[s]++] = block;
  } else {
    return_without_place(block, bytes);
  }
}

}  // namespace troupe::detail
