// The wait-for graph: who waits for whom, and whether another wait would close a cycle.
//
// A cell has an edge while its handler waits for a reply of another cell, or for
// room in its mailbox: it handles nothing until that is over. So a cycle of edges
// ends only by a deadline. Nothing is an edge that might end otherwise: waits of
// tasks and of receive(), which stop nobody's mailbox; a request whose reply_to was
// taken, for nobody knows who will answer it, until it is forwarded; and none of several
// waits side by side (both, either), also when but one of them is left.
//
// A cycle is looked for when a wait begins, and again when a cell that waits is suspended
// again: what it had left to do before, a timer say, may have hidden the cycle.
//
// Costs a waiting cell a few plain stores and a load. Only when the one it waits
// for waits too, and somebody may wait for the cell itself, are edges followed, by one thread
// of the process at a time.
#pragma once

#include <troupe/actors/detail/cell.hpp>

#include <optional>
#include <string_view>

namespace troupe::detail {

/// On the strand of `from`, whose edge `id` was just confirmed: when it closes a
/// cycle, takes the edge back and says so. The caller withdraws what it has sent.
[[nodiscard]] std::optional<error> refuse_cycle(cell& from, wait_id id);
/// Sends a request that another cell had taken, and leads its asker's edge to `to`. When that closes a cycle
/// says so, and yields `closed`: then, and when it is refused, the envelope is the caller's. Any thread.
[[nodiscard]] push_result deliver_forwarded(ask_envelope_base& e, cell& to,
                                            std::optional<error>& cycle) noexcept;
/// The error for a cell that would wait for itself.
[[nodiscard]] error refuse_self(cell& from, wait_kind k);

}  // namespace troupe::detail
