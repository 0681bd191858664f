#include "block_pool.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <new>
#include <troupe/transport/read_buffer.hpp>

namespace troupe::detail {

namespace {

// Blocks of one size and of twice, four, ... times that: what a read_buffer grows through. A reader that
// finds data gives its block back as soon as the data is parsed, so a worker needs one block, and a few more
// where parsing has to wait.
constexpr std::size_t smallest = read_buffer::block_bytes;
constexpr std::size_t sizes = 4;
constexpr std::array<std::uint8_t, sizes> kept{8, 4, 2, 1};  // of each: half a megabyte at most
static_assert(std::has_single_bit(smallest));

// Of which size `bytes` is; `sizes`: of none that is kept.
std::size_t size_of(std::size_t bytes) noexcept {
  const auto s = static_cast<std::size_t>(std::countr_zero(bytes) - std::countr_zero(smallest));
  return s < sizes && bytes == smallest << s ? s : sizes;
}

// Trivial, so that using it takes no initialization and it can be looked at when the thread's other
// thread-locals are gone.
struct block_cache {
  std::array<std::array<std::byte*, kept[0]>, sizes> blocks;
  std::array<std::uint8_t, sizes> count;
  enum class phase : std::uint8_t { unused, used, over } phase;
};
constinit thread_local block_cache cache{};

// Frees what is kept when the thread ends.
struct cache_end {
  ~cache_end() {
    cache.phase = block_cache::phase::over;
    for (std::size_t s = 0; s < sizes; ++s) {
      while (cache.count[s] != 0) ::operator delete(cache.blocks[s][--cache.count[s]], smallest << s);
    }
  }
};

// Whether this thread still keeps blocks; the first time it sees that it stops in the end.
bool keeps_blocks() noexcept {
  if (cache.phase == block_cache::phase::used) [[likely]]
    return true;
  if (cache.phase == block_cache::phase::over) return false;
  cache.phase = block_cache::phase::used;
  static thread_local cache_end end;
  return true;
}

}  // namespace

std::byte* borrow_block(std::size_t bytes) {
  const std::size_t s = size_of(bytes);
  if (s != sizes && cache.count[s] != 0) return cache.blocks[s][--cache.count[s]];
  return static_cast<std::byte*>(::operator new(bytes));
}

void return_block(std::byte* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  const std::size_t s = size_of(bytes);
  if (s != sizes && cache.count[s] != kept[s] && keeps_blocks()) {
    cache.blocks[s][cache.count[s]++] = block;
  } else {
    ::operator delete(block, bytes);
  }
}

}  // namespace troupe::detail
