// Chunks and the address space they come from; see slab_chunks.hpp for owner and threads.
#include "memory/slab_chunks.hpp"

#include "memory/slab_poison.hpp"

#include <troupe/runtime/detail/spinlock.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <new>

#if defined(__unix__) || defined(__APPLE__)
#define TROUPE_SLAB_MMAP 1
#include <sys/mman.h>
#endif

namespace troupe::detail {

namespace {

constexpr std::size_t chunks_per_region = 64;
constexpr std::size_t region_bytes = chunks_per_region * chunk::bytes;
constexpr std::uint64_t all_chunks = ~std::uint64_t{0};

// The reserve: this many chunks, or an eighth of those in use. Enough that an oscillating load does not map
// and unmap pages continually.
constexpr std::size_t least_reserve = 16;
constexpr std::size_t reserve_share = 8;

// Once this many chunks are in use the next ones will probably be filled as well, so their pages are faulted
// in with one call.
constexpr std::size_t populate_from = 32;

#ifdef TROUPE_SLAB_MMAP

void* map_region() noexcept {
  // Maps twice the size to find an aligned part, and cuts off the rest.
  void* const all =
      ::mmap(nullptr, 2 * region_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(all);
  const std::size_t skip =
      (region_bytes - reinterpret_cast<std::uintptr_t>(begin) % region_bytes) % region_bytes;
  if (skip > 0) ::munmap(begin, skip);
  ::munmap(begin + skip + region_bytes, region_bytes - skip);
  return begin + skip;
}

void unmap_region(void* base) noexcept {
  ::munmap(base, region_bytes);
}

void discard_pages(void* base) noexcept {
  ::madvise(base, chunk::bytes, MADV_DONTNEED);
}

void populate_pages([[maybe_unused]] void* base) noexcept {
#ifdef MADV_POPULATE_WRITE
  ::madvise(base, chunk::bytes,
            MADV_POPULATE_WRITE);  // refused by old kernels: then pages fault in one by one
#endif
}

#else

// Elsewhere memory goes back a region at a time.
void* map_region() noexcept {
  return ::operator new(region_bytes, std::align_val_t{chunk::bytes}, std::nothrow);
}
void unmap_region(void* base) noexcept {
  ::operator delete(base, std::align_val_t{chunk::bytes});
}
void discard_pages(void*) noexcept {}
void populate_pages(void*) noexcept {}

#endif

chunk& chunk_of(const void* object) noexcept {
  return *reinterpret_cast<chunk*>(reinterpret_cast<std::uintptr_t>(object) & ~(chunk::bytes - 1));
}

[[noreturn]] void corrupt(const char* what, const void* object) noexcept {
  std::fprintf(stderr, "troupe: slab: the object at %p %s; memory may be corrupt, so the program ends here\n",
               object, what);
  std::abort();
}

}  // namespace

void check_address([[maybe_unused]] const void* memory) noexcept {
#ifndef TROUPE_TWO_WORD_MAILBOX
  if ((std::uint64_t{reinterpret_cast<std::uintptr_t>(memory)} >> 48) == 0) [[likely]]
    return;
  std::fprintf(
      stderr,
      "troupe: slab: the address %p has more than 48 bits, or a tag, and does not fit into a mailbox; "
      "configure Troupe with -DTROUPE_TWO_WORD_MAILBOX=ON\n",
      memory);
  std::abort();
#endif
}

/// Address space for 64 chunks.
struct region {
  char* base = nullptr;
  std::uint64_t unused = all_chunks;  // a bit for each chunk whose memory the OS has
  region* prev = nullptr;             // in chunk_supply::open_
  region* next = nullptr;
};

void chunk_supply::open(region& r) noexcept {
  r.prev = nullptr;
  r.next = open_;
  if (open_ != nullptr) open_->prev = &r;
  open_ = &r;
}

void chunk_supply::close(region& r) noexcept {
  (r.prev != nullptr ? r.prev->next : open_) = r.next;
  if (r.next != nullptr) r.next->prev = r.prev;
}

chunk* chunk_supply::carve() {
  if (open_ == nullptr) {
    auto* const r = new region;
    r->base = static_cast<char*>(map_region());
    if (r->base == nullptr) {
      delete r;
      throw std::bad_alloc{};
    }
    check_address(r->base);
    add_leak_root(r->base, region_bytes);
    open(*r);
  }
  region& r = *open_;
  const auto index = static_cast<unsigned>(std::countr_zero(r.unused));
  r.unused &= r.unused - 1;
  if (r.unused == 0) close(r);
  char* const base = r.base + index * chunk::bytes;
  if (in_use_ >= populate_from) populate_pages(base);
  auto* const c = ::new (static_cast<void*>(base)) chunk;
  c->home = &r;
  return c;
}

chunk* chunk_supply::take() {
  const scoped_lock guard(mutex_);
  chunk* c = reserve_;
  if (c != nullptr) {
    reserve_ = c->next;
    --reserved_;
  } else {
    c = carve();
  }
  ++in_use_;
  return c;
}

void chunk_supply::give(chunk* empty) noexcept {
  const scoped_lock guard(mutex_);
  --in_use_;
  empty->next = reserve_;
  reserve_ = empty;
  ++reserved_;
  shrink_reserve(std::max(least_reserve, in_use_ / reserve_share));
}

void chunk_supply::trim() noexcept {
  const scoped_lock guard(mutex_);
  shrink_reserve(0);
}

void chunk_supply::shrink_reserve(std::size_t keep) noexcept {
  for (; reserved_ > keep; --reserved_) {
    chunk* const c = reserve_;
    reserve_ = c->next;
    region& r = *c->home;
    discard_pages(c);
    if (r.unused == 0) open(r);
    r.unused |= std::uint64_t{1} << ((reinterpret_cast<char*>(c) - r.base) / std::ptrdiff_t{chunk::bytes});
    // The last region stays, so that a load around its edge does not map and unmap it.
    if (r.unused == all_chunks && (r.prev != nullptr || r.next != nullptr)) {
      close(r);
      remove_leak_root(r.base, region_bytes);
      unmap_region(r.base);
      delete &r;
    }
  }
}

std::size_t chunk_supply::mapped_bytes() const noexcept {
  const scoped_lock guard(mutex_);
  return (in_use_ + reserved_) * chunk::bytes;
}

void chunk_store::configure(chunk_supply& supply, std::uint32_t object_bytes) noexcept {
  supply_ = &supply;
  object_bytes_ = object_bytes;
  // Offsets are below 2^16, so rounding up by less than one cannot reach the next quotient.
  reciprocal_ = static_cast<std::uint32_t>((std::uint64_t{1} << 32) / object_bytes) + 1;
  constexpr std::size_t line = 64;  // objects of a multiple of it are aligned to it
  words_ = static_cast<std::uint32_t>((chunk::bytes / object_bytes + 63) / 64);
  const std::size_t head = offsetof(chunk, free_bits) + words_ * sizeof(std::uint64_t);
  first_offset_ = static_cast<std::uint32_t>((head + line - 1) / line * line);
  objects_per_chunk_ = static_cast<std::uint32_t>((chunk::bytes - first_offset_) / object_bytes);
}

chunk& chunk_store::format(chunk& fresh) noexcept {
  fresh.store = this;
  fresh.free_objects = objects_per_chunk_;
  for (std::uint32_t word = 0; word < words_; ++word) {
    const std::uint32_t before = std::min(word * 64, objects_per_chunk_);
    const std::uint32_t in_word = std::min(objects_per_chunk_ - before, std::uint32_t{64});
    fresh.free_bits[word] = in_word == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << in_word) - 1;
  }
  poison(reinterpret_cast<char*>(&fresh) + first_offset_, chunk::bytes - first_offset_);
  return fresh;
}

void chunk_store::link_front(chunk& c) noexcept {
  c.prev = nullptr;
  c.next = partial_;
  if (partial_ != nullptr) partial_->prev = &c;
  partial_ = &c;
}

void chunk_store::unlink(chunk& c) noexcept {
  (c.prev != nullptr ? c.prev->next : partial_) = c.next;
  if (c.next != nullptr) c.next->prev = c.prev;
}

free_block* chunk_store::take(std::uint32_t wanted, std::uint32_t& taken) {
  const scoped_lock guard(mutex_);
  visits_.store(visits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (partial_ == nullptr) {
    link_front(format(*supply_->take()));
    chunks_.store(chunks() + 1, std::memory_order_relaxed);
  }
  // Objects of one chunk are enough: a short magazine only means an earlier next visit.
  chunk& c = *partial_;
  const std::uint32_t count = std::min(wanted, c.free_objects);
  char* const objects = reinterpret_cast<char*>(&c) + first_offset_;
  free_block* first = nullptr;
  free_block* last = nullptr;
  std::uint32_t left = count;
  for (std::uint32_t word = 0; left > 0; ++word) {
    std::uint64_t& bits = c.free_bits[word];
    for (; bits != 0 && left > 0; --left, bits &= bits - 1) {
      const auto index = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      auto* const block = reinterpret_cast<free_block*>(objects + std::size_t{index} * object_bytes_);
      if (last == nullptr) {
        first = block;
      } else {
        set_next(last, block);
      }
      last = block;
    }
  }
  set_next(last, nullptr);
  c.free_objects -= count;
  if (c.free_objects == 0) unlink(c);
  objects_out_.store(objects_out() + count, std::memory_order_relaxed);
  taken = count;
  return first;
}

void chunk_store::put(free_block* list) noexcept {
  const scoped_lock guard(mutex_);
  visits_.store(visits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::size_t returned = 0;
  for (free_block* block = list; block != nullptr; ++returned) {
    free_block* const next = next_of(block);
    chunk& c = chunk_of(block);
    if (c.store != this) corrupt("was freed with another size than it was allocated with", block);
    const auto offset =
        static_cast<std::uint32_t>(reinterpret_cast<char*>(block) - reinterpret_cast<char*>(&c)) -
        first_offset_;
    const auto index = static_cast<std::uint32_t>(std::uint64_t{offset} * reciprocal_ >> 32);
    const std::uint64_t bit = std::uint64_t{1} << (index % 64);
    if ((c.free_bits[index / 64] & bit) != 0) corrupt("was freed twice", block);
    c.free_bits[index / 64] |= bit;
    if (c.free_objects++ == 0) link_front(c);
    if (c.free_objects == objects_per_chunk_) {
      unlink(c);
      unpoison(&c, chunk::bytes);
      c.store = nullptr;
      supply_->give(&c);
      chunks_.store(chunks() - 1, std::memory_order_relaxed);
    }
    block = next;
  }
  objects_out_.store(objects_out() - returned, std::memory_order_relaxed);
}

bool chunk_store::sparse() const noexcept {
  constexpr std::size_t small = 16;  // chunks: below this there is little to win
  const std::size_t room = chunks() * objects_per_chunk_;
  return room > small * objects_per_chunk_ && objects_out() < room / 4;
}

std::size_t chunk_store::objects_out() const noexcept {
  return objects_out_.load(std::memory_order_relaxed);
}
std::size_t chunk_store::chunks() const noexcept {
  return chunks_.load(std::memory_order_relaxed);
}
std::uint64_t chunk_store::visits() const noexcept {
  return visits_.load(std::memory_order_relaxed);
}

}  // namespace troupe::detail
