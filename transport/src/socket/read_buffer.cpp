// read_buffer: growing within its limit, and the blocks it borrows from the pool of the thread.
#include "socket/block_pool.hpp"

#include <troupe/transport/read_buffer.hpp>

#include <algorithm>
#include <cstring>

namespace troupe {

read_buffer& read_buffer::operator=(read_buffer&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(limit_, other.limit_);
  return *this;
}

std::span<std::byte> read_buffer::prepare(std::size_t at_least) {
  if (memory_ == nullptr) [[likely]] {  // a reader has found that there is data
    if (at_least == 0 || at_least > limit_) return {};
    const std::size_t bytes = std::max(at_least, block_bytes);
    memory_ = detail::borrow_block(bytes);
    capacity_ = bytes;
    return {memory_, std::min(bytes, limit_)};
  }
  const std::size_t held = size();
  if (at_least > limit_ || held > limit_ - at_least) return {};
  if (capacity_ - end_ < at_least) {
    // To the front where that is cheap, or where growing would not help.
    if (capacity_ - held >= at_least && (held <= capacity_ / 2 || capacity_ >= limit_)) {
      std::memmove(memory_, memory_ + begin_, held);
      begin_ = 0;
      end_ = held;
    } else {
      grow(held + at_least);
    }
  }
  return {memory_ + end_, std::min(capacity_ - end_, limit_ - held)};
}

void read_buffer::grow(std::size_t wanted) {
  const std::size_t held = size();
  // Doubling, but not beyond what the limit lets us use.
  const std::size_t doubled = std::min(2 * capacity_, std::max(limit_, block_bytes));
  const std::size_t bytes = std::max({wanted, doubled, block_bytes});
  std::byte* const fresh = detail::borrow_block(bytes);
  if (held != 0) std::memcpy(fresh, memory_ + begin_, held);
  free_memory();
  memory_ = fresh;
  capacity_ = bytes;
  begin_ = 0;
  end_ = held;
}

void read_buffer::consume(std::size_t n) noexcept {
  begin_ += std::min(n, size());
  if (empty()) free_memory();
}

void read_buffer::give_back() noexcept {
  if (empty()) free_memory();
}

void read_buffer::free_memory() noexcept {
  if (memory_ == nullptr) return;
  detail::return_block(memory_, capacity_);
  memory_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace troupe
