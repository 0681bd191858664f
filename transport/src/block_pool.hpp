// Memory for read buffers: each thread keeps a few blocks for the next reader.
#pragma once

#include <cstddef>

namespace troupe::detail {

/// `bytes` of memory; of read_buffer::block_bytes, or twice, four or eight times that,
/// from this thread's pool, if there is one. Out of line, as every access to a thread-local that a
/// coroutine makes (slab.hpp). Throws bad_alloc.
[[nodiscard, gnu::noinline]] std::byte* borrow_block(std::size_t bytes);
/// Gives it back, with the same `bytes`, to the pool of this thread. Null is allowed.
[[gnu::noinline]] void return_block(std::byte* block, std::size_t bytes) noexcept;

}  // namespace troupe::detail
