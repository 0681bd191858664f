// The timing wheel: see <troupe/runtime/detail/timer_wheel.hpp> for owner and threads.
//
// Time moves in pop_due only. While the first occupied slot lies ahead, now_ just follows the clock. When the
// clock reaches that slot, the slot is spread: each of its timers moves at least one level down, so there are
// at most levels x timers moves. insert() may get a deadline before now_; rewind() then joins the slots in
// between into the one higher slot that covers them, a whole ring at a time.
#include <troupe/runtime/detail/timer_wheel.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace troupe::detail {

namespace {

// Flipping the sign bit makes unsigned order of keys the signed order of deadlines.
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

std::uint64_t key_of(std::int64_t deadline_ns) noexcept {
  return static_cast<std::uint64_t>(deadline_ns) ^ sign_bit;
}

std::int64_t deadline_of(std::uint64_t key) noexcept {
  return static_cast<std::int64_t>(key ^ sign_bit);
}

std::uint64_t bit(unsigned index) noexcept {
  return std::uint64_t{1} << index;
}

// Appends the ring `tail_ring` to the ring `ring`.
void join(timer_node& ring, timer_node& tail_ring) noexcept {
  timer_node* const last = ring.prev;
  timer_node* const tail_last = tail_ring.prev;
  last->next = &tail_ring;
  tail_ring.prev = last;
  tail_last->next = &ring;
  ring.prev = tail_last;
}

}  // namespace

timer_wheel::place timer_wheel::place_of(key k) const noexcept {
  const auto highest = static_cast<unsigned>(std::bit_width((k ^ now_) | 1)) - 1;
  const unsigned level = highest / digit_bits;
  return {.level = level, .index = static_cast<unsigned>(k >> (level * digit_bits)) % slots_per_level};
}

timer_wheel::place timer_wheel::first() const noexcept {
  const auto level = static_cast<unsigned>(std::countr_zero(occupied_levels_));
  return {.level = level, .index = static_cast<unsigned>(std::countr_zero(occupied_[level]))};
}

void timer_wheel::link(timer_node& node) noexcept {
  const key k = key_of(node.deadline);
  const place at = place_of(k);
  slot& s = slot_at(at);
  node.prev = &node;
  node.next = &node;
  if (s.head == nullptr) {
    s.head = &node;
    s.bound = k;
    occupied_[at.level] |= bit(at.index);
    occupied_levels_ |= 1U << at.level;
  } else {
    join(*s.head, node);
    if (k > s.bound) return;
    s.bound = k;
  }
  stale_[at.level] &= ~bit(at.index);
}

void timer_wheel::unlink(timer_node& node) noexcept {
  const key k = key_of(node.deadline);
  const place at = place_of(k);
  slot& s = slot_at(at);
  if (node.next == &node) {
    static_cast<void>(take_ring(at));
  } else {
    node.prev->next = node.next;
    node.next->prev = node.prev;
    if (s.head == &node) s.head = node.next;
    // On level 0 the others have the same deadline, so the bound still is the earliest.
    if (k == s.bound && at.level > 0) stale_[at.level] |= bit(at.index);
  }
  node.prev = nullptr;
  node.next = nullptr;
  --size_;
}

timer_node* timer_wheel::take_ring(place at) noexcept {
  occupied_[at.level] &= ~bit(at.index);
  if (occupied_[at.level] == 0) occupied_levels_ &= ~(1U << at.level);
  return std::exchange(slot_at(at).head, nullptr);
}

void timer_wheel::spread(place at, key to) noexcept {
  timer_node* const ring = take_ring(at);
  now_ = to;
  ring->prev->next = nullptr;
  for (timer_node* node = ring; node != nullptr;) {
    timer_node* const next = node->next;
    link(*node);
    node = next;
  }
}

void timer_wheel::rewind(key to) noexcept {
  // Relative to `to`, every timer on a level below that of the highest changed digit belongs in the slot of
  // that digit of now_; relative to now_, that slot is empty. All other timers stay.
  const unsigned level = (static_cast<unsigned>(std::bit_width(to ^ now_)) - 1) / digit_bits;
  const place target{.level = level,
                     .index = static_cast<unsigned>(now_ >> (level * digit_bits)) % slots_per_level};
  slot& joined = slot_at(target);
  while (occupied_levels_ != 0) {
    const place from = first();
    if (from.level >= level) break;
    timer_node* const ring = take_ring(from);
    if (joined.head != nullptr) {
      join(*joined.head, *ring);
      continue;
    }
    // The first slot has the earliest timers, so its bound is that of all.
    joined.head = ring;
    joined.bound = slot_at(from).bound;
    const bool is_stale = from.level > 0 && (stale_[from.level] & bit(from.index)) != 0;
    stale_[level] = is_stale ? stale_[level] | bit(target.index) : stale_[level] & ~bit(target.index);
  }
  if (joined.head != nullptr) {
    occupied_[level] |= bit(target.index);
    occupied_levels_ |= 1U << level;
  }
  now_ = to;
}

void timer_wheel::insert(timer_node& node, std::int64_t deadline_ns) noexcept {
  const key k = key_of(deadline_ns);
  if (k < now_) rewind(k);
  node.deadline = deadline_ns;
  link(node);
  ++size_;
}

void timer_wheel::cancel(timer_node& node) noexcept {
  if (node.armed()) unlink(node);
}

timer_node* timer_wheel::pop_due(std::int64_t now_ns) noexcept {
  const key now = key_of(now_ns);
  while (size_ > 0) {
    const place at = first();
    slot& s = slot_at(at);
    timer_node& head = *s.head;
    const unsigned shift = at.level * digit_bits;
    const key start = s.bound >> shift << shift;
    if (start > now) break;
    // On level 0 all timers of the slot have the deadline `start`.
    if (at.level == 0 || (head.next == &head && key_of(head.deadline) <= now)) {
      const key k = key_of(head.deadline);
      unlink(head);
      now_ = k;
      return &head;
    }
    spread(at, std::min(s.bound, now));
  }
  now_ = std::max(now_, now);
  return nullptr;
}

std::optional<std::int64_t> timer_wheel::next_deadline() const noexcept {
  if (size_ == 0) return std::nullopt;
  const place at = first();
  const slot& s = slots_[at.level][at.index];
  if ((stale_[at.level] & bit(at.index)) != 0) {
    key earliest = key_of(s.head->deadline);
    for (const timer_node* node = s.head->next; node != s.head && earliest != s.bound; node = node->next) {
      earliest = std::min(earliest, key_of(node->deadline));
    }
    s.bound = earliest;
    stale_[at.level] &= ~bit(at.index);
  }
  return deadline_of(s.bound);
}

std::optional<std::int64_t> timer_wheel::next_wake() const noexcept {
  if (size_ == 0) return std::nullopt;
  const place at = first();
  return deadline_of(slots_[at.level][at.index].bound);
}

}  // namespace troupe::detail
