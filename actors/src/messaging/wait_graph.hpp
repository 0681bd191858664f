// The wait-for graph: which cell waits for which, and whether another wait would close a cycle.
//
// A cell has an edge while its handler waits for a reply of another cell, or for room in its mailbox: it
// handles no message until that wait is over. So a cycle of edges ends only by a deadline. A wait that may
// end otherwise is not an edge: waits of tasks and of receive(), which block no mailbox; a request whose
// reply_to was taken, because it is unknown which actor will answer it, until it is forwarded; and concurrent
// waits (both, either), even when only one of them is left.
//
// A cycle is looked for when a wait begins, and again when a waiting cell is suspended again: work that the
// cell had left to do, such as a timer, may have hidden the cycle.
//
// Costs a waiting cell a few plain stores and a load. Edges are followed only when the awaited cell waits too
// and some cell may wait for this one; then by one thread of the process at a time.
#pragma once

#include <troupe/actors/detail/cell.hpp>

#include <optional>
#include <string_view>

namespace troupe::detail {

/// Whether an edge from `from` to `to` could be part of a cycle: both have edges. After the caller has
/// confirmed its edge and fenced: of two cells that confirm at once, one sees the other.
[[nodiscard]] inline bool may_close_cycle(const cell& from, const cell& to) noexcept {
  return to.waits().look() && from.may_be_awaited();
}
/// On the strand of `from`, whose edge `id` was just confirmed: when it closes a cycle, takes the edge back
/// and yields the error. The caller withdraws its request.
[[nodiscard]] std::optional<error> refuse_cycle(cell& from, wait_id id);
/// The same, asked only when may_close_cycle().
[[nodiscard]] inline std::optional<error> refuse_cycle(cell& from, const cell& to, wait_id id) {
  if (!may_close_cycle(from, to)) return std::nullopt;
  return refuse_cycle(from, id);
}
/// Sends a request that another cell had taken, and leads its asker's edge to `to`. When that closes a cycle,
/// sets `cycle` and yields `closed`. When it yields full or closed, the caller owns the envelope. Any thread.
[[nodiscard]] push_result deliver_forwarded(ask_envelope_base& e, cell& to,
                                            std::optional<error>& cycle) noexcept;
/// The error of a cell that would wait for itself.
[[nodiscard]] error refuse_self(cell& from, wait_kind k);

}  // namespace troupe::detail
