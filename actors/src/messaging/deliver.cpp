// Puts user mail into a mailbox: on a worker of the receiver's own runtime, on any other thread, and into a
// mailbox that loses messages. Any thread.
#include "mailbox/mailbox_policies.hpp"

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/system_core.hpp>

namespace troupe::detail {

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
