// What the handler of a cell waits for, for other threads to see: an edge of the
// wait-for graph (src/wait_graph.hpp).
//
//   the cell:      announce, sends the request, confirm ... clear, when it gives up
//   the receiver:  end, before it answers the request; hand_on, when it is to be answered later, by
//                  anybody; lead_to, when it is forwarded to another cell
//
// An edge that can be seen is true but for the moment between announce and
// confirm, in which the request may yet be refused. A cell has one edge: a handler
// that waits at two places at once has none, for one of them may be enough for it.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe::detail {

class cell;

/// What for. `later`: for the reply to a request that was sent before.
enum class wait_kind : std::uint8_t { reply, room, later };

/// A wait, and whom for, in one word: [ number:16 | cell:44 (16-aligned) | kind:4 ]. 0: none.
/// The number tells a wait from those for the same cell before it.
class wait_id {
 public:
  constexpr wait_id() noexcept = default;
  explicit constexpr wait_id(std::uint64_t bits) noexcept : bits_(bits) {}
  wait_id(const cell& to, wait_kind k, std::uint16_t number) noexcept
      : bits_(reinterpret_cast<std::uint64_t>(&to) | static_cast<std::uint64_t>(k) |
              (std::uint64_t{number} << 48)) {}

  explicit constexpr operator bool() const noexcept { return bits_ != 0; }
  /// The same wait, and nobody known to wait for.
  [[nodiscard]] constexpr wait_id for_nobody() const noexcept { return wait_id(bits_ & ~cell_bits); }
  [[nodiscard]] constexpr bool leads_somewhere() const noexcept { return (bits_ & cell_bits) != 0; }
  [[nodiscard]] constexpr std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] constexpr std::uint16_t number() const noexcept {
    return static_cast<std::uint16_t>(bits_ >> 48);
  }
  [[nodiscard]] constexpr wait_kind kind() const noexcept { return static_cast<wait_kind>(bits_ & 0xf); }
  [[nodiscard]] cell& to() const noexcept {
    return *reinterpret_cast<cell*>(  // NOLINT(performance-no-int-to-ptr): the word is a pointer
        bits_ & cell_bits);
  }
  friend constexpr bool operator==(wait_id, wait_id) = default;

 private:
  static constexpr std::uint64_t cell_bits = 0x0000'ffff'ffff'fff0;
  std::uint64_t bits_ = 0;
};

class wait_edge {
 public:
  // -- any thread -----------------------------------------------------------

  [[nodiscard]] wait_id look() const noexcept {
    const wait_id id(word_.load(std::memory_order_acquire));
    return id.leads_somewhere() ? id : wait_id();
  }
  /// Whether what `id` waits for has been sent; of use while look() yields `id`.
  [[nodiscard]] bool confirmed(wait_id id) const noexcept {
    return confirmed_.load(std::memory_order_acquire) == id.number();
  }
  /// The wait `id` is about to be over. The caller holds what keeps the cell's memory.
  void end(wait_id id) noexcept {
    // May hit the next edge, when the cell gave up and waits again: one missed.
    if (look() == id) clear();
  }

  /// The wait `id` goes on, for whoever is given the request.
  void hand_on(wait_id id) noexcept {
    std::uint64_t expected = id.bits();
    word_.compare_exchange_strong(expected, id.for_nobody().bits(), std::memory_order_release,
                                  std::memory_order_relaxed);
  }
  /// It is given to `to`: the edge there, or none when the wait is over or was known to be for somebody else.
  wait_id lead_to(wait_id id, const cell& to) noexcept {
    const wait_id now(to, id.kind(), id.number());
    std::uint64_t expected = id.for_nobody().bits();
    if (expected == 0) return {};
    return word_.compare_exchange_strong(expected, now.bits(), std::memory_order_seq_cst,
                                         std::memory_order_relaxed)
               ? now
               : wait_id();
  }

  // -- on the strand of the cell --------------------------------------------

  /// The present wait, whomever it is for.
  [[nodiscard]] wait_id own() const noexcept { return wait_id(word_.load(std::memory_order_relaxed)); }
  /// Whether the cell, which came into its slice with the wait `before` and is about to be suspended, may
  /// have to look for a cycle once more: for a new wait for a reply it did when that began.
  [[nodiscard]] bool to_be_looked_at(wait_id before) const noexcept {
    const wait_id id = own();
    return id && (id == before || id.kind() != wait_kind::reply);
  }
  /// The wait `id` is over, whomever it is for by now.
  void over(wait_id id) noexcept {
    if (wait_id(word_.load(std::memory_order_relaxed)).number() == id.number()) clear();
  }

  /// Before the request is sent. Empty when the cell waits for something already.
  wait_id announce(const cell& to, wait_kind k) noexcept {
#ifdef TROUPE_TWO_WORD_MAILBOX
    // A number has no place beside an address that may be as long as the word: such builds find no cycle.
    return {};
#endif
    if (look()) {
      clear();
      return {};
    }
    const wait_id id(to, k, ++last_);
    word_.store(id.bits(), std::memory_order_relaxed);
    return id;
  }
  void confirm(wait_id id) noexcept { confirmed_.store(id.number(), std::memory_order_release); }
  void clear() noexcept { word_.store(0, std::memory_order_release); }

 private:
  // word_: not 0 while the cell waits and the receiver, which is alive for that, has
  // the request. Set by the cell; the push of the request, a read-modify-write,
  // comes between that and the cell's look at the receiver's edge: of the cells
  // that close a cycle at once, the last to push sees all edges. Cleared by
  // whoever ends the wait, before it does anything else: a release, so that who sees
  // (acquire) an edge that the receiver got afterwards sees this one gone.
  // hand_on() and lead_to(): by the receiver, while the asker may give up: they change what they expect only.
  // confirmed_: the number of the last wait whose request was sent; the release
  // orders that after the push. Broken by: tests/actors/deadlock_test.
  atomic<std::uint64_t> word_{0};
  atomic<std::uint16_t> confirmed_{0};
  std::uint16_t last_ = 0;
};

}  // namespace troupe::detail
