// Where slab memory comes from: 64 KiB chunks, each divided into objects of one size class.
//
// chunk_supply takes address space from the OS in regions and hands out chunks; chunk_store holds the chunks
// of one size class and hands out objects. Both are the slow path behind the magazines of slab.cpp, which
// owns them for the whole process. Any thread; each has its own lock. Lock order: a store's, then the
// supply's.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>
#include <troupe/runtime/detail/mutex.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe::detail {

/// A free object: its first word links it into a magazine. Poisoned under AddressSanitizer, so the link
/// is only touched through next_of and set_next.
struct free_block {
  free_block* next;
};

[[gnu::no_sanitize_address]] inline free_block* next_of(const free_block* block) noexcept {
  return block->next;
}
[[gnu::no_sanitize_address]] inline void set_next(free_block* block, free_block* next) noexcept {
  block->next = next;
}

/// Ends the program with a message when the form of the mailboxes in this build (mailbox.hpp) cannot hold the
/// address.
void check_address(const void* memory) noexcept;

struct region;

/// The head of a chunk; the objects follow. A chunk is aligned to its size, so the chunk of an object is
/// found by masking its address. `free_bits` has a bit for each object that is in the chunk, not handed out.
struct chunk {
  static constexpr std::size_t bytes = std::size_t{64} * 1024;

  region* home = nullptr;
  chunk* prev = nullptr;
  chunk* next = nullptr;
  const void* store = nullptr;  // detects an object that is freed with a wrong size
  std::uint32_t free_objects = 0;
  std::array<std::uint64_t, 64> free_bits;  // only as many words as the class needs: objects may start here
};

/// Chunks for all size classes. Keeps some empty chunks ready, in proportion to those in use; the
/// memory of all others goes back to the OS.
class chunk_supply {
 public:
  /// A chunk whose `home` is set. Throws std::bad_alloc.
  [[nodiscard]] chunk* take();
  void give(chunk* empty) noexcept;
  /// Gives the whole reserve back to the OS.
  void trim() noexcept;
  /// In use or in reserve.
  [[nodiscard]] std::size_t mapped_bytes() const noexcept;

 private:
  [[nodiscard]] chunk* carve() TROUPE_REQUIRES(mutex_);
  void open(region& r) noexcept TROUPE_REQUIRES(mutex_);
  void close(region& r) noexcept TROUPE_REQUIRES(mutex_);
  void shrink_reserve(std::size_t keep) noexcept TROUPE_REQUIRES(mutex_);

  mutable mutex mutex_;
  region* open_ TROUPE_GUARDED_BY(mutex_) = nullptr;  // regions that have chunks to carve
  chunk* reserve_ TROUPE_GUARDED_BY(mutex_) = nullptr;
  std::size_t reserved_ TROUPE_GUARDED_BY(mutex_) = 0;
  std::size_t in_use_ TROUPE_GUARDED_BY(mutex_) = 0;
};

/// The chunks of one size class.
class chunk_store {
 public:
  void configure(chunk_supply& supply, std::uint32_t object_bytes) noexcept;

  /// Up to `wanted` objects, at least one, linked in address order and taken from the chunk that was used
  /// last, or from a new one; `taken` is their number. Throws std::bad_alloc.
  [[nodiscard]] free_block* take(std::uint32_t wanted, std::uint32_t& taken);

  /// Takes back the objects linked from `list`. Ends the program if one was freed before, or has another
  /// size: then memory is corrupt.
  void put(free_block* list) noexcept;

  /// Whether few objects hold most of the memory, so that a single object in a magazine may keep a chunk from
  /// going back.
  [[nodiscard]] bool sparse() const noexcept;

  [[nodiscard]] std::size_t objects_out() const noexcept;
  [[nodiscard]] std::size_t chunks() const noexcept;
  [[nodiscard]] std::uint64_t visits() const noexcept;
  [[nodiscard]] std::uint32_t object_bytes() const noexcept { return object_bytes_; }

 private:
  [[nodiscard]] chunk& format(chunk& fresh) noexcept;
  void link_front(chunk& c) noexcept TROUPE_REQUIRES(mutex_);
  void unlink(chunk& c) noexcept TROUPE_REQUIRES(mutex_);

  chunk_supply* supply_ = nullptr;
  std::uint32_t object_bytes_ = 0;
  std::uint32_t reciprocal_ = 0;  // offset * reciprocal_ >> 32 is offset / object_bytes_
  std::uint32_t first_offset_ = 0;
  std::uint32_t words_ = 0;
  std::uint32_t objects_per_chunk_ = 0;

  mutex mutex_;
  chunk* partial_ TROUPE_GUARDED_BY(mutex_) =
      nullptr;  // chunks with free objects; the fullest tend to be in front

  // objects_out_, chunks_, visits_: written under mutex_, read without it for statistics and as a hint by
  // sparse(), hence relaxed. Invariant: objects_out_ is the sum over chunks of the objects handed out. Broken
  // by: tests/runtime/memory/slab_test.
  atomic<std::size_t> objects_out_{0};
  atomic<std::size_t> chunks_{0};
  atomic<std::uint64_t> visits_{0};
};

}  // namespace troupe::detail
