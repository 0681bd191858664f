// The hash table under a store: keys and values in the order of their hashes, by extendible hashing (Fagin,
// Nievergelt, Pippenger, Strong, 1979). Owned and used by one shard, by one thread at a time.
//
//   directory, 2^depth pointers, indexed by the top bits of the hash
//   | 00 | 01 | 10 | 11 |
//      |    |    \____/
//      v    v       v
//    [seg][seg]  [ seg ]      a segment: up to 64 entries whose hashes share a prefix, found by one-byte tags
//
// Why not a standard map: a full segment splits alone, so no insert waits for a rehash of the whole table.
// The order by hash prefix is stable under splits and merges, so a position in it (a hash prefix) is a cursor
// that stays valid over any change. SCAN, the sweep of expired keys and the snapshot of the journal all walk
// by such a cursor.
//
// Costs: find, insert and erase O(1), at most one split of 64 entries each. About 95 bytes for each key at
// the mean fill of 69%, and a heap block for a key and value of over 32 bytes together.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kv/shard/entry.hpp"
#include "kv/shard/hash.hpp"

namespace kv {

/// A position in the order of hashes: everything before it was visited. 0 is the start, and a walk returns 0
/// at its end. Only the top 32 bits are ever set.
using hash_position = std::uint64_t;

template <class Hash = key_hash>
class basic_keyspace {
 public:
  explicit basic_keyspace(Hash hash = {}) : hash_(std::move(hash)), directory_{new segment} {}
  basic_keyspace(basic_keyspace&& other) : basic_keyspace(other.hash_) { swap(other); }
  basic_keyspace& operator=(basic_keyspace&& other) {
    swap(other);
    return *this;
  }
  ~basic_keyspace() { destroy(); }

  void swap(basic_keyspace& other) noexcept {
    std::swap(hash_, other.hash_);
    std::swap(directory_, other.directory_);
    std::swap(depth_, other.depth_);
    std::swap(size_, other.size_);
  }

  std::size_t size() const { return size_; }
  std::uint64_t hash(std::string_view key) const { return hash_(key); }

  /// The entry of a key or nullptr. Pointers to entries are valid until the next insert, erase or clear.
  entry* find(std::string_view key, std::uint64_t hash) {
    for (segment* s = directory_[index_of(hash)]; s != nullptr; s = s->overflow.get()) {
      for (std::uint64_t hits = s->match(tag_of(hash)); hits != 0; hits &= hits - 1) {
        entry& e = s->entries[static_cast<std::size_t>(std::countr_zero(hits))];
        if (e.hash == hash && e.key() == key) return &e;
      }
    }
    return nullptr;
  }

  /// Adds a key, which must be absent.
  entry& insert(std::string_view key, std::uint64_t hash, std::string_view value, unix_ms expires_at) {
    segment* s = directory_[index_of(hash)];
    while (s->full() && s->depth < split_limit()) {
      split(index_of(hash));
      s = directory_[index_of(hash)];
    }
    // Hashes that agree in more bits than a table of this size needs: chain instead of splitting without end.
    while (s->full()) {
      if (s->overflow == nullptr) s->overflow = std::make_unique<segment>();
      s = s->overflow.get();
    }
    ++size_;
    entry& e = s->place(tag_of(hash));
    e.hash = hash;
    e.expires_at = expires_at;
    e.assign(key, value);
    note_expiry(hash, expires_at);
    return e;
  }

  /// Must follow every change of an entry's expiry, so that the sweep finds it.
  void note_expiry(std::uint64_t hash, unix_ms expires_at) {
    segment* s = directory_[index_of(hash)];
    s->earliest = std::min(s->earliest, expires_at);
  }

  /// Removes an entry that find returned.
  void erase(entry* e) {
    const std::size_t index = index_of(e->hash);
    segment* s = directory_[index];
    while (!s->holds(e)) s = s->overflow.get();
    s->remove(static_cast<std::size_t>(e - s->entries.data()));
    --size_;
    merge(index);
  }

  void clear() {
    basic_keyspace empty(hash_);
    swap(empty);
  }

  /// Visits all entries of the segment at `position` and returns the position after it; 0 at the end. An
  /// entry that is present during a whole walk from 0 to 0 is visited at least once; after merges some are
  /// visited twice.
  template <class Visit>
  hash_position visit_segment(hash_position position, Visit&& visit) const {
    const segment* s = directory_[index_of(position)];
    for (const segment* part = s; part != nullptr; part = part->overflow.get()) {
      for (std::uint64_t used = part->used; used != 0; used &= used - 1) {
        visit(part->entries[static_cast<std::size_t>(std::countr_zero(used))]);
      }
    }
    return next_position(position, *s);
  }

  /// Removes the entries of the segment at `position` that expire at `now` or earlier, after passing each to
  /// `removed`, and returns the position after it. A segment without expired entries costs one load.
  template <class Removed>
  hash_position sweep_segment(hash_position position, unix_ms now, Removed&& removed) {
    const std::size_t index = index_of(position);
    segment* const s = directory_[index];
    const hash_position next = next_position(position, *s);
    if (s->earliest > now) return next;
    unix_ms earliest = never;
    for (segment* part = s; part != nullptr; part = part->overflow.get()) {
      for (std::uint64_t used = part->used; used != 0; used &= used - 1) {
        const auto at = static_cast<std::size_t>(std::countr_zero(used));
        entry& e = part->entries[at];
        if (e.expires_at > now) {
          earliest = std::min(earliest, e.expires_at);
        } else {
          removed(std::as_const(e));
          part->remove(at);
          --size_;
        }
      }
    }
    s->earliest = earliest;
    merge(index);
    return next;
  }

 private:
  static constexpr std::size_t segment_size = 64;
  static constexpr unsigned max_depth = 32;  // so that positions fit the top 32 bits

  struct segment {
    // One cache line, all that a failed look-up reads; 0: free.
    alignas(64) std::array<std::uint8_t, segment_size> tags{};
    std::uint64_t used = 0;
    unix_ms earliest = never;  // no entry here or in overflow expires before it
    unsigned depth = 0;        // how many top bits of the hash all entries share
    std::unique_ptr<segment> overflow;
    std::array<entry, segment_size> entries{};

    bool full() const { return used == ~std::uint64_t{0}; }
    bool holds(const entry* e) const {
      return std::less_equal<>{}(entries.data(), e) && std::less<>{}(e, entries.data() + segment_size);
    }

    /// A bit for every slot with this tag.
    std::uint64_t match(std::uint8_t tag) const {
      std::uint64_t hits = 0;
#if defined(__SSE2__)
      const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
      for (unsigned part = 0; part < 4; ++part) {
        const __m128i have = _mm_load_si128(reinterpret_cast<const __m128i*>(tags.data()) + part);
        const auto equal = static_cast<std::uint16_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(have, wanted)));
        hits |= std::uint64_t{equal} << (part * 16);
      }
#else
      for (std::size_t at = 0; at < segment_size; ++at) hits |= std::uint64_t{tags[at] == tag} << at;
#endif
      return hits;
    }

    entry& place(std::uint8_t tag) {
      const auto at = static_cast<std::size_t>(std::countr_one(used));
      used |= std::uint64_t{1} << at;
      tags[at] = tag;
      return entries[at];
    }

    void remove(std::size_t at) {
      used &= ~(std::uint64_t{1} << at);
      tags[at] = 0;
      entries[at].clear();
    }

    void adopt(entry&& e) {
      earliest = std::min(earliest, e.expires_at);
      place(tag_of(e.hash)) = std::move(e);
    }
  };

  static std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(hash | 1); }
  std::size_t index_of(std::uint64_t hash) const {
    return depth_ == 0 ? 0 : static_cast<std::size_t>(hash >> (64 - depth_));
  }

  /// The start of the segment after the one that covers `position`; 0 after the last.
  static hash_position next_position(hash_position position, const segment& s) {
    if (s.depth == 0) return 0;
    const unsigned shift = 64 - s.depth;
    return ((position >> shift) + 1) << shift;  // wraps to 0 after the last one
  }

  /// The maximal depth of a split: with uniform hashes, segments of this depth would hold less than one
  /// entry.
  unsigned split_limit() const { return std::min(max_depth, static_cast<unsigned>(std::bit_width(size_))); }

  void split(std::size_t index) {
    segment* const old = directory_[index];
    if (old->depth == depth_) {
      std::vector<segment*> doubled(directory_.size() * 2);
      for (std::size_t at = 0; at < directory_.size(); ++at)
        doubled[2 * at] = doubled[2 * at + 1] = directory_[at];
      directory_ = std::move(doubled);
      ++depth_;
      index *= 2;
    }
    auto upper = std::make_unique<segment>();
    const std::uint64_t bit = std::uint64_t{1} << (63 - old->depth);
    upper->depth = ++old->depth;
    // The chain is dissolved: both halves are rebuilt from all entries and chained again only where one is
    // too full.
    std::unique_ptr<segment> chain = std::move(old->overflow);
    old->earliest = never;
    for (std::uint64_t used = old->used; used != 0; used &= used - 1) {
      const auto at = static_cast<std::size_t>(std::countr_zero(used));
      entry& e = old->entries[at];
      if ((e.hash & bit) != 0) {
        upper->adopt(std::move(e));
        old->remove(at);
      } else {
        old->earliest = std::min(old->earliest, e.expires_at);
      }
    }
    for (segment* part = chain.get(); part != nullptr; part = part->overflow.get()) {
      for (std::uint64_t used = part->used; used != 0; used &= used - 1) {
        entry& e = part->entries[static_cast<std::size_t>(std::countr_zero(used))];
        segment& half = (e.hash & bit) != 0 ? *upper : *old;
        chain_to(half, std::move(e));
      }
    }
    const std::size_t span = directory_.size() >> old->depth;
    const std::size_t first = index / (2 * span) * (2 * span);
    std::fill_n(directory_.begin() + static_cast<std::ptrdiff_t>(first + span), span, upper.get());
    static_cast<void>(upper.release());  // the directory owns it now
  }

  static void chain_to(segment& head, entry&& e) {
    head.earliest = std::min(head.earliest, e.expires_at);
    segment* s = &head;
    while (s->full()) {
      if (s->overflow == nullptr) s->overflow = std::make_unique<segment>();
      s = s->overflow.get();
    }
    s->adopt(std::move(e));
  }

  /// Frees memory after erasures: joins two neighbours that would fill at most a quarter of one segment, and
  /// removes empty segments of a chain. The directory keeps its size.
  void merge(std::size_t index) {
    for (;;) {
      segment* const s = directory_[index];
      drop_empty_overflow(s);
      if (s->depth == 0 || s->overflow != nullptr || std::popcount(s->used) > int{segment_size / 8}) return;
      const std::size_t span = directory_.size() >> s->depth;
      const std::size_t first = index / span * span;
      const std::size_t other = first ^ span;
      segment* const neighbour = directory_[other];
      if (neighbour->depth != s->depth || neighbour->overflow != nullptr ||
          std::popcount(s->used) + std::popcount(neighbour->used) > int{segment_size / 4}) {
        return;
      }
      for (std::uint64_t used = s->used; used != 0; used &= used - 1) {
        neighbour->adopt(std::move(s->entries[static_cast<std::size_t>(std::countr_zero(used))]));
      }
      --neighbour->depth;
      std::fill_n(directory_.begin() + static_cast<std::ptrdiff_t>(first), span, neighbour);
      delete s;
    }
  }

  static void drop_empty_overflow(segment* s) {
    while (s != nullptr) {
      while (s->overflow != nullptr && s->overflow->used == 0) s->overflow = std::move(s->overflow->overflow);
      s = s->overflow.get();
    }
  }

  void destroy() {
    for (std::size_t at = 0; at < directory_.size();) {
      segment* const s = directory_[at];
      at += directory_.size() >> s->depth;
      delete s;
    }
  }

  Hash hash_;
  std::vector<segment*> directory_;  // owns its segments; one fills 2^(depth_ - its depth) adjacent elements
  unsigned depth_ = 0;
  std::size_t size_ = 0;
};

using keyspace = basic_keyspace<>;

}  // namespace kv
