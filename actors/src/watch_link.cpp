#include "watch_link.hpp"

#include <troupe/actors/ref.hpp>
#include <troupe/actors/system_core.hpp>

#include "extras.hpp"

namespace troupe::detail {

void watch(cell& by, cell& of) {
  cell_extras& mine = by.extras();
  for (const watch_link* l = mine.watching; l != nullptr; l = l->next_watching) {
    if (l->watched == &of && !l->dropped) return;  // one notice, however often it is asked for
  }
  auto* const link = slab_new<watch_link>(by, of);
  link->next_watching = mine.watching;
  mine.watching = link;
  {
    cell_extras& theirs = of.extras();
    const scoped_lock guard(of.lock());
    if (!of.box().dead()) {
      link->listed = true;
      link->next_watcher = theirs.watchers;
      if (theirs.watchers != nullptr) theirs.watchers->previous_watcher = link;
      theirs.watchers = link;
      return;
    }
  }
  by.post(*link);  // it has ended already
}

namespace {

// False when the notice is already under way.
bool withdraw(watch_link& l) noexcept {
  const scoped_lock guard(l.watched->lock());
  if (!l.listed) return false;
  cell_extras& theirs = *l.watched->extras_if_any();
  (l.previous_watcher != nullptr ? l.previous_watcher->next_watcher : theirs.watchers) = l.next_watcher;
  if (l.next_watcher != nullptr) l.next_watcher->previous_watcher = l.previous_watcher;
  l.listed = false;
  return true;
}

void unlink(cell_extras& mine, watch_link& wanted) noexcept {
  for (watch_link** at = &mine.watching; *at != nullptr; at = &(*at)->next_watching) {
    if (*at == &wanted) {
      *at = wanted.next_watching;
      return;
    }
  }
}

// Takes notices about `of` that wait to be handled back.
void drop_notices(cell_extras& mine, const cell& of) noexcept {
  mail_queue kept;
  while (mail* const m = mine.notices.pop_front()) {
    const bool about =
        m->kind == message_id<down>() && static_cast<tell_envelope<down>*>(m)->message.who.cell() == &of;
    if (about) {
      m->kind->dispose(*m);
    } else {
      kept.push_back(*m);
    }
  }
  mine.notices.append(kept);
}

}  // namespace

void unwatch(cell& by, const cell& of) noexcept {
  cell_extras* const mine = by.extras_if_any();
  if (mine == nullptr) return;
  for (watch_link* l = mine->watching; l != nullptr; l = l->next_watching) {
    if (l->watched != &of || l->dropped) continue;
    unlink(*mine, *l);
    if (withdraw(*l)) {
      slab_delete(l);
    } else {
      l->dropped = true;  // frees itself on arrival
    }
    break;
  }
  drop_notices(*mine, of);
}

void drop_watches(cell& by) noexcept {
  cell_extras* const mine = by.extras_if_any();
  if (mine == nullptr) return;
  watch_link* l = mine->watching;
  mine->watching = nullptr;
  while (l != nullptr) {
    watch_link* const next = l->next_watching;
    if (withdraw(*l)) {
      slab_delete(l);
    } else {
      l->dropped = true;  // frees itself on arrival
      l->next_watching = nullptr;
    }
    l = next;
  }
  mail_queue kept;
  while (mail* const m = mine->notices.pop_front()) {
    if (m->kind == message_id<down>()) {
      m->kind->dispose(*m);
    } else {
      kept.push_back(*m);
    }
  }
  mine->notices.append(kept);
}

void tell_watchers(cell& of) noexcept {
  // The cell is dead by now. A watcher makes the extras first and then, under
  // the lock, loads whether it is dead; both sides are sequentially consistent,
  // so either we see the extras, or the watcher sees a dead cell.
  cell_extras* const theirs = of.extras_in_order();
  if (theirs == nullptr) return;  // nobody ever watched it
  watch_link* l = nullptr;
  {
    const scoped_lock guard(of.lock());
    l = std::exchange(theirs->watchers, nullptr);
    for (watch_link* each = l; each != nullptr; each = each->next_watcher) each->listed = false;
  }
  while (l != nullptr) {
    watch_link* const next = l->next_watcher;
    cell* const to = l->watcher;
    to->share();  // the link's own share may go with it
    to->post(*l);
    to->release();
    l = next;
  }
}

void watch_link::act(mail& m, strand& s) noexcept {
  auto& self = static_cast<watch_link&>(m);
  auto& watcher = static_cast<cell&>(s);
  if (!self.dropped) {
    cell_extras& mine = watcher.extras();
    unlink(mine, self);
    self.watched->share();
    auto* const notice = slab_new<tell_envelope<down>>(down{any_ref(self.watched), self.watched->reason()});
    mine.notices.push_back(*notice);
  }
  slab_delete(&self);
}

}  // namespace troupe::detail
