// The wait of a cell's handler, readable by other threads: an edge of the wait-for graph
// (src/messaging/wait_graph.hpp).
//
//   the cell:      announce, sends the request, confirm ... clear, when it gives up
//   the receiver:  end, before it answers the request; hand_on, when it keeps the request, which some other
//                  actor may answer later;
//                  lead_to, when the request is forwarded to another cell
//
// A visible edge is true, except between announce and confirm, when the request may still be refused. A cell
// has one edge: a handler that waits at two places at once has none, because one of them may be enough for
// it.
#pragma once

#include <troupe/runtime/detail/atomic.hpp>

#include <cstdint>

namespace troupe::detail {

class cell;

/// The event that is waited for. `later`: the reply to a request that was sent before.
enum class wait_kind : std::uint8_t { reply, room, later };

/// A wait and its target, in one word: [ number:16 | cell:44 (16-aligned) | kind:4 ]. 0: none.
/// The number distinguishes a wait from earlier ones for the same cell.
class wait_id {
 public:
  constexpr wait_id() noexcept = default;
  explicit constexpr wait_id(std::uint64_t bits) noexcept : bits_(bits) {}
  wait_id(const cell& to, wait_kind k, std::uint16_t number) noexcept
      : bits_(reinterpret_cast<std::uint64_t>(&to) | static_cast<std::uint64_t>(k) |
              (std::uint64_t{number} << 48)) {}

  explicit constexpr operator bool() const noexcept { return bits_ != 0; }
  /// The same wait, with the target unknown.
  [[nodiscard]] constexpr wait_id without_target() const noexcept { return wait_id(bits_ & ~cell_bits); }
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
  /// Whether the request that `id` waits for has been sent; meaningful while look() yields `id`.
  [[nodiscard]] bool confirmed(wait_id id) const noexcept {
    return confirmed_.load(std::memory_order_acquire) == id.number();
  }
  /// The wait `id` is about to be over. The caller keeps the cell's memory alive.
  void end(wait_id id) noexcept {
    // May hit the next edge, when the cell gave up and waits again: one missed.
    if (look() == id) clear();
  }

  /// The wait `id` goes on; it is unknown which actor will answer.
  void hand_on(wait_id id) noexcept {
    std::uint64_t expected = id.bits();
    word_.compare_exchange_strong(expected, id.without_target().bits(), std::memory_order_release,
                                  std::memory_order_relaxed);
  }
  /// The request is given to `to`: yields the edge there, or none when the wait is over or has another
  /// target.
  wait_id lead_to(wait_id id, const cell& to) noexcept {
    const wait_id now(to, id.kind(), id.number());
    std::uint64_t expected = id.without_target().bits();
    if (expected == 0) return {};
    return word_.compare_exchange_strong(expected, now.bits(), std::memory_order_seq_cst,
                                         std::memory_order_relaxed)
               ? now
               : wait_id();
  }

  // -- on the strand of the cell --------------------------------------------

  /// The present wait, whatever its target.
  [[nodiscard]] wait_id own() const noexcept { return wait_id(word_.load(std::memory_order_relaxed)); }
  /// Whether the cell, which began its slice with the wait `before` and is about to be suspended, may have to
  /// look for a cycle again. Not for a new wait for a reply: it looked when that wait began.
  [[nodiscard]] bool to_be_looked_at(wait_id before) const noexcept {
    const wait_id id = own();
    return id && (id == before || id.kind() != wait_kind::reply);
  }
  /// The wait `id` is over, whatever its target by now.
  void over(wait_id id) noexcept {
    if (wait_id(word_.load(std::memory_order_relaxed)).number() == id.number()) clear();
  }

  /// Before the request is sent. Empty when the cell waits for something already.
  wait_id announce(const cell& to, wait_kind k) noexcept {
#ifdef TROUPE_TWO_WORD_MAILBOX
    // The word has no room for a number next to an address of full length: such builds find no cycles.
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
  // word_: not 0 while the cell waits and the receiver, which is alive then, has the request. Set by the
  // cell; the push of the request, a read-modify-write, comes between that and the cell's load of the
  // receiver's edge: of the cells that close a cycle at once, the last to push sees all edges. The thread
  // that ends the wait clears it before it does anything else, with a release, so that a thread that loads
  // (acquire) an edge that the receiver made afterwards sees this one gone. hand_on() and lead_to() are
  // called by the receiver while the asker may give up: they are compare-exchanges. Broken by:
  // tests/actors/messaging/deadlock_threads_test.
  atomic<std::uint64_t> word_{0};
  // confirmed_: the number of the last wait whose request was sent. The release orders that after the push,
  // and pairs with the acquire in confirmed(). Broken by: tests/actors/messaging/deadlock_threads_test.
  atomic<std::uint16_t> confirmed_{0};
  std::uint16_t last_ = 0;
};

}  // namespace troupe::detail
