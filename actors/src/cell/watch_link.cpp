// Watches: made and withdrawn on the watcher's strand; the watched cell's lock guards the list of its
// watchers.
#include "cell/watch_link.hpp"

#include "cell/extras.hpp"

#include <troupe/actors/ref.hpp>
#include <troupe/actors/system_core.hpp>

#include <memory>

namespace troupe::detail {

void watch(cell& by, cell& of) {
  cell_extras& mine = by.extras();
  if (mine.watching.find(watch_link::key_of(of)) != nullptr) return;
  cell_extras& theirs = of.extras();
  auto* const link = slab_new<watch_link>(by, of);
  mine.watching.add(*link);
  {
    const scoped_lock guard(of.lock());
    if (!theirs.watchers_told && !of.box().dead()) {
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

// Takes the link out of the watched cell's list; false when the notice is already under way.
bool withdraw(watch_link& l) noexcept {
  if (!l.listed) return false;
  cell_extras& theirs = *l.watched->extras_if_any();
  const scoped_lock guard(l.watched->lock());
  if (theirs.watchers_told) return false;
  (l.previous_watcher != nullptr ? l.previous_watcher->next_watcher : theirs.watchers) = l.next_watcher;
  if (l.next_watcher != nullptr) l.next_watcher->previous_watcher = l.previous_watcher;
  return true;
}

// Ends a watch whose link is not in the index any more.
void drop(cell_extras& mine, watch_link& l) noexcept {
  if (l.now == watch_link::state::due) {
    mine.notices.remove(l);
  } else if (!withdraw(l)) {
    l.now = watch_link::state::dropped;  // frees itself on arrival
    return;
  }
  slab_delete(&l);
}

}  // namespace

void unwatch(cell& by, const cell& of) noexcept {
  cell_extras* const mine = by.extras_if_any();
  watch_link* const l = mine != nullptr ? mine->watching.find(watch_link::key_of(of)) : nullptr;
  if (l == nullptr) return;
  mine->watching.remove(*l);
  drop(*mine, *l);
}

void drop_watches(cell& by) noexcept {
  if (cell_extras* const mine = by.extras_if_any()) {
    mine->watching.clear([mine](watch_link& l) { drop(*mine, l); });
  }
}

void tell_watchers(cell& of) noexcept {
  // The cell is dead by now. A watcher makes the extras first and then, under the lock, loads whether the
  // cell is dead; both sides are sequentially consistent, so either this load sees the extras, or the watcher
  // sees a dead cell.
  cell_extras* const theirs = of.extras_in_order();
  if (theirs == nullptr) return;  // it never had a watcher
  watch_link* l = nullptr;
  std::shared_ptr<end_listener> listener;
  {
    const scoped_lock guard(of.lock());
    theirs->watchers_told = true;
    l = std::exchange(theirs->watchers, nullptr);
    listener.swap(theirs->listener);
  }
  if (listener) listener->ended();
  while (l != nullptr) {
    watch_link* const next = l->next_watcher;
    cell* const to = l->watcher;
    to->share();  // the link's own share may go with it
    to->post(*l);
    to->release();
    l = next;
  }
}

void listen_for_end(cell& of, std::shared_ptr<end_listener> l) {
  cell_extras& theirs = of.extras();
  {
    const scoped_lock guard(of.lock());
    if (!theirs.watchers_told && !of.box().dead()) {
      theirs.listener.swap(l);
      return;
    }
  }
  l->ended();
}

void watch_link::act(mail& m, strand& s) noexcept {
  auto& self = static_cast<watch_link&>(m);
  if (self.now == state::dropped) {
    slab_delete(&self);
    return;
  }
  self.now = state::due;
  static_cast<cell&>(s).extras_if_any()->notices.push_back(self);
}

mail* watch_link::take_it(notice& n, cell& c) {
  auto& self = static_cast<watch_link&>(n);
  c.extras_if_any()->watching.remove(self);
  const std::unique_ptr<watch_link, void (*)(watch_link*) noexcept> spent(&self, &slab_delete<watch_link>);
  self.watched->share();
  any_ref who(self.watched);
  exit_reason why = self.watched->reason();
  return slab_new<tell_envelope<down>>(down{std::move(who), std::move(why)});
}

}  // namespace troupe::detail
