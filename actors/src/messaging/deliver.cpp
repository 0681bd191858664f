// Puts user mail into a mailbox: on a worker of the receiver's own runtime, on any other thread, and into a
// mailbox that loses messages. Any thread.
#include "cell/extras.hpp"
#include "mailbox/lossy_mailbox.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

namespace {

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

}  // namespace

bool lose_newest(cell& to, mail& m) noexcept {
  const cell_extras* const x = to.extras_if_any();
  if (x == nullptr || x->policy.loses != mailbox_policy::loss::newest) return false;
  const pin alive(to.core());
  if (to.box().dead()) return false;  // it was full, but is gone by now
  to.core().lose(to, m, dead_letter_cause::dropped);
  kind_of(m).refuse(m, error(errc::full));
  return true;
}

namespace {

// The rest of deliver(). Out of line and in tail position, so that its usual path needs no stack frame.
[[gnu::noinline]] push_result wake_here(cell& to, worker& w) noexcept {
  w.push_woken(to);
  return push_result::wake;
}

[[gnu::noinline]] push_result deliver_unusual(cell& to, mail& m, worker& w, push_result r) noexcept {
  if (r == not_here) r = to.box().push_elsewhere(m, to.capacity());
  if (r == push_result::full && to.capacity() == 0) r = deliver_lossy(to, m);
  if (r == push_result::wake || r == push_result::queued) {
    w.counters.sent.add();
    if (r == push_result::wake) w.push_woken(to);
  } else {
    (r == push_result::full ? w.counters.full : w.counters.closed).add();
  }
  return r;
}

// From a thread that is not a worker, or a worker of another runtime. Once the mail is queued, its receiver
// may handle it and end, and so may the system: the pin keeps the core, which is needed to schedule the
// receiver and to count.
[[gnu::noinline]] push_result deliver_from_outside(cell& to, mail& m) noexcept {
  const pin alive(to.core());
  push_result r = to.box().try_push(m, to.capacity());
  if (r == push_result::full && to.capacity() == 0) r = deliver_lossy(to, m);
  if (r == push_result::wake) to.home().inject(to);
  if (r == push_result::closed && to.box().dead()) return r;  // perhaps before the pin: the core may be gone
  to.home().count_from_outside([r](counter_block& c) {
    (r == push_result::full ? c.full : r == push_result::closed ? c.closed : c.sent).add();
  });
  return r;
}

}  // namespace

push_result deliver(cell& to, mail& m) noexcept {
  worker* const w = worker_here();
  if (w == nullptr || &w->home() != &to.home()) [[unlikely]]
    return deliver_from_outside(to, m);
  const push_result r = to.box().try_push_here(m, to.capacity());
  if (r > push_result::wake) [[unlikely]]
    return deliver_unusual(to, m, *w, r);
  w->counters.sent.add();
  return r == push_result::queued ? r : wake_here(to, *w);
}

}  // namespace troupe::detail
