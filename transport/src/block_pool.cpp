#include "block_pool.hpp"

#include <array>
#include <new>
#include <troupe/transport/read_buffer.hpp>

namespace troupe::detail {

namespace {

// A reader that finds data gives its block back as soon as the data is parsed,
// so a worker needs one block, and a few more where parsing has to wait.
constexpr std::size_t kept = 8;

thread_local bool ended = false;  // trivially destructible: readable when `pool` is gone

struct block_pool {
  std::array<std::byte*, kept> blocks{};
  std::size_t size = 0;
  ~block_pool() {
    ended = true;
    while (size != 0) ::operator delete(blocks[--size], read_buffer::block_bytes);
  }
};

thread_local block_pool pool;

}  // namespace

std::byte* borrow_block(std::size_t bytes) {
  if (bytes == read_buffer::block_bytes && !ended && pool.size != 0) return pool.blocks[--pool.size];
  return static_cast<std::byte*>(::operator new(bytes));
}

void return_block(std::byte* block, std::size_t bytes) noexcept {
  if (block == nullptr) return;
  if (bytes == read_buffer::block_bytes && !ended && pool.size != kept) {
    pool.blocks[pool.size++] = block;
  } else {
    ::operator delete(block, bytes);
  }
}

}  // namespace troupe::detail
