// One watch: who watches whom.
#pragma once

#include <troupe/actors/cell.hpp>

namespace troupe::detail {

/// Made by the watcher, in its list until the watch ends. While the watched
/// actor lives the link is also in that one's list, under its lock; when the
/// actor ends, the link travels to the watcher as system mail, which so costs no
/// memory at that moment and cannot be refused.
struct watch_link final : mail {
  watch_link(cell& by, cell& of) noexcept : mail(kind_of), watcher(&by), watched(&of) {
    by.share();
    of.share();
  }
  ~watch_link() {
    watcher->release();
    watched->release();
  }

  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept { slab_delete(&static_cast<watch_link&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose_it};

  cell* watcher;
  cell* watched;
  watch_link* next_watcher = nullptr;  // in watched's list, under its lock
  watch_link* previous_watcher = nullptr;
  bool listed = false;                  // in watched's list
  watch_link* next_watching = nullptr;  // in watcher's list, on its strand
  bool dropped = false;                 // the watcher does not care any more; on its strand
};

void watch(cell& by, cell& of);
void unwatch(cell& by, const cell& of) noexcept;
/// Ends all watches that `by` made.
void drop_watches(cell& by) noexcept;
/// `of` has ended: tells its watchers, those that come later too.
void tell_watchers(cell& of) noexcept;

}  // namespace troupe::detail
