// The calls of the block pool that are off the fast path: a thread's first block, a full pool, the thread's
// end.
#include "socket/block_pool.hpp"

namespace troupe::detail {

TROUPE_QUICK_TLS constinit thread_local block_cache block_cache_of_thread{};

namespace {

// Frees what is kept when the thread ends.
struct cache_end {
  ~cache_end() {
    block_cache& cache = block_cache_of_thread;
    cache.over = true;
    cache.places = {};
    for (std::size_t s = 0; s < block_cache::sizes; ++s) {
      while (cache.count[s] != 0) {
        ::operator delete(cache.blocks[s][--cache.count[s]], block_cache::smallest << s);
      }
    }
  }
};

}  // namespace

void return_without_place(std::byte* block, std::size_t bytes) noexcept {
  block_cache& cache = block_cache_of_thread;
  if (cache.places[0] == 0 && !cache.over) {  // the first one of this thread
    static thread_local cache_end end;
    cache.places = block_cache::most;
    return_block(block, bytes);
    return;
  }
  ::operator delete(block, bytes);
}

}  // namespace troupe::detail
