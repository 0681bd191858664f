// One watch: an actor that is to be told of the end of another.
#pragma once

#include "cell/intrusive_index.hpp"
#include "cell/notice.hpp"

#include <troupe/actors/detail/cell.hpp>

#include <memory>

namespace troupe::detail {

/// Made by the watcher, and in its index until the watch ends. While the watched actor lives, the link is
/// also in that actor's list, under its lock. When that actor ends, the link travels to the watcher as system
/// mail, so it needs no memory at that moment and cannot be refused; there it is the notice that waits to be
/// handled.
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

  /// out: in watched's list, or on its way; due: among the watcher's notices; dropped: on its way, but the
  /// watcher has withdrawn the watch. On the watcher's strand.
  enum class state : std::uint8_t { out, due, dropped };

  cell* const watcher;
  cell* const watched;
  watch_link* next_watcher = nullptr;  // in watched's list, under its lock
  watch_link* previous_watcher = nullptr;
  bool listed = false;  // it was put into that list; on the watcher's strand
  state now = state::out;
};

/// For a thread that is not a worker and waits for the end of an actor. A watching actor would not do: it
/// would end with the system.
struct end_listener {
  end_listener() = default;
  end_listener(const end_listener&) = delete;
  end_listener& operator=(const end_listener&) = delete;
  virtual ~end_listener() = default;
  /// The actor has ended, or is cut off for good. Called once, on any thread.
  virtual void ended() noexcept = 0;
};
/// Sets the one listener of an actor; calls it at once when the actor has ended already. Any thread.
void listen_for_end(cell& of, std::shared_ptr<end_listener> l);

/// On the strand of `by`, or in its constructor. Yields one notice, however often it is called before the
/// notice is handled. O(1), as is unwatch.
void watch(cell& by, cell& of);
void unwatch(cell& by, const cell& of) noexcept;
/// Ends all watches that `by` made.
void drop_watches(cell& by) noexcept;
/// `of` has ended, or is cut off for good: tells its watchers, and those that come later.
void tell_watchers(cell& of) noexcept;

}  // namespace troupe::detail
