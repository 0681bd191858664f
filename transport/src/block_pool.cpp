#include "block_pool.hpp"

#include <array>
#include <new>
#include <troupe/transport/read_buffer.hpp>

namespace troupe::detail {

namespace {

// Blocks of one size and of twice, four, ... times that: what a read_buffer grows through. A reader that
// finds data gives its block back as soon as the data is parsed, so a worker needs one block, and a few more
// where parsing has to wait.
constexpr std::size_t smallest = read_buffer::block_bytes;
constexpr std::size_t sizes = 4;
constexpr std::array<std::size_t, sizes> kept{8, 4, 2, 1};  // of each: half a megabyte at most

// Of which size `bytes` is; `sizes`: of none that is kept.
std::size_t size_of(std::size_t bytes) noexcept {
  std::size_t s = 0;
  while (s != sizes && bytes != smallest << s) ++s;
  return s;
}

thread_local bool ended = false;  // trivially destructible: readable when `pool` is gone

struct block_pool {
  std::array<std::array<std::byte*, kept[0]>, sizes> blocks{};
  std::array<std::size_t, sizes> count{};
  ~block_pool() {
    ended = true;
    for (std::size_t s = 0; s < sizes; ++s) {
      while (count[s] != 0) ::operator delete(blocks[s][--count[s]], smallest << s);
    }
  }
};

thread_local block_pool pool;

}  // namespace

std::byte* borrow_block(std::size_t bytes) {
  const std::size_t s = size_of(bytes);
  if (s != sizes && !ended && pool.count[s] != 0) return pool.blocks[s][--pool.count[s]];
  return static_cast<std::byte*>(::operator new(bytes));
}

void return_block(std::byte* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  const std::size_t s = size_of(bytes);
  if (s != sizes && !ended && pool.count[s] != kept[s]) {
    pool.blocks[s][pool.count[s]++] = block;
  } else {
    ::operator delete(block, bytes);
  }
}

}  // namespace troupe::detail
