// One watch: who watches whom.
#pragma once

#include "cell/intrusive_index.hpp"
#include "cell/notice.hpp"

#include <troupe/actors/detail/cell.hpp>

#include <memory>

namespace troupe::detail {

/// Made by the watcher, in its index until the watch ends. While the watched actor lives the link is also in
/// that one's list, under its lock; when the actor ends, the link travels to the watcher as system mail,
/// which so costs no memory at that moment and cannot be refused, and there it is the notice that waits to
/// be handled.
struct watch_link final : mail, notice {
  watch_link(cell& by, cell& of) noexcept : mail(kind_of), notice(&take_it), watcher(&by), watched(&of) {
    by.share();
    of.share();
  }
  ~watch_link() {
    watcher->release();
    watched->release();
  }
  watch_link(const watch_link&) = delete;
  watch_link& operator=(const watch_link&) = delete;

  static void act(mail& m, strand& s) noexcept;
  static void dispose_it(mail& m) noexcept { slab_delete(&static_cast<watch_link&>(m)); }
  static mail* take_it(notice& n, cell& c);
  static constexpr mail_kind kind_of{&act, &dispose_it};

  static std::uint64_t key_of(const cell& c) noexcept { return reinterpret_cast<std::uint64_t>(&c); }
  [[nodiscard]] std::uint64_t key() const noexcept { return key_of(*watched); }
  index_hook<watch_link> hook;  // in watcher's index, on its strand

  /// out: in watched's list, or on its way; due: among the watcher's notices; dropped: on its way, and the
  /// watcher does not care any more. On the watcher's strand.
  enum class state : std::uint8_t { out, due, dropped };

  cell* const watcher;
  cell* const watched;
  watch_link* next_watcher = nullptr;  // in watched's list, under its lock
  watch_link* previous_watcher = nullptr;
  bool listed = false;  // it was put into that list; on the watcher's strand
  state now = state::out;
};

/// For a thread outside that waits for the end of an actor: an actor of its own would end with the system.
struct end_listener {
  end_listener() = default;
  end_listener(const end_listener&) = delete;
  end_listener& operator=(const end_listener&) = delete;
  virtual ~end_listener() = default;
  /// It has ended, or is cut off for good. Once, on any thread.
  virtual void ended() noexcept = 0;
};
/// One listener for an actor; called at once when it has ended already. Any thread.
void listen_for_end(cell& of, std::shared_ptr<end_listener> l);

/// On the strand of `by`, or in its constructor. One notice, however often it is asked for before the notice
/// is handled. O(1), as is unwatch.
void watch(cell& by, cell& of);
void unwatch(cell& by, const cell& of) noexcept;
/// Ends all watches that `by` made.
void drop_watches(cell& by) noexcept;
/// `of` has ended, or is cut off for good: tells its watchers, those that come later too.
void tell_watchers(cell& of) noexcept;

}  // namespace troupe::detail
