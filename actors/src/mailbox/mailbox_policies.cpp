// What a full mailbox gives up, by its policy. Any thread that sends.
#include "mailbox/mailbox_policies.hpp"

#include "cell/extras.hpp"
#include "mailbox/lossy_mailbox.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

// The mailbox's word takes no user mail: it waits in a queue from which it may be lost. The pin is needed on
// a worker too: the runtime may be shared, and the system may end as soon as the mail is queued.
push_result deliver_lossy(cell& to, mail& m) noexcept {
  const pin alive(to.core());
  const cell_extras* const x = to.extras_if_any();
  mail* lost = nullptr;  // perhaps m itself
  const push_result r = x->lossy->push(to, m, lost);
  if (lost != nullptr) {
    to.core().lose(to, *lost, dead_letter_cause::dropped);
    kind_of(*lost).refuse(*lost, error(errc::full));
  }
  return r;
}

bool lose_newest(cell& to, mail& m) noexcept {
  const cell_extras* const x = to.extras_if_any();
  if (x == nullptr || x->policy.loses != mailbox_policy::loss::newest) return false;
  const pin alive(to.core());
  if (to.box().dead()) return false;  // it was full, but is gone by now
  to.core().lose(to, m, dead_letter_cause::dropped);
  kind_of(m).refuse(m, error(errc::full));
  return true;
}

}  // namespace troupe::detail
