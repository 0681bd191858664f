// What a full mailbox gives up, by its policy (mailbox_policy.hpp). A new policy goes here: into
// deliver_lossy() when it loses queued mail, next to lose_newest() (cell.hpp) when it loses the mail that
// comes.
#pragma once

#include <troupe/runtime/detail/mailbox.hpp>

namespace troupe::detail {

class cell;

/// For a receiver whose mail waits in a lossy_mailbox: queues `m`, and loses what has to go for it.
push_result deliver_lossy(cell& to, mail& m) noexcept;

}  // namespace troupe::detail
