// A sender that waits for room in a full mailbox.
#pragma once

#include <troupe/actors/detail/cell.hpp>
#include <troupe/actors/send.hpp>
#include <troupe/runtime/detail/completion.hpp>

namespace troupe::detail {

/// In the receiver's list, under the receiver's lock, until it is served, fails or gives up; then a
/// completion on its way to the sender.
struct send_wait final : completion {
  enum class verdict : std::uint8_t { waiting, sent, closed };

  send_wait(cell& to, mail& m) noexcept : completion(kind_of), receiver(&to), envelope(&m) { to.share(); }
  ~send_wait() {
    if (envelope != nullptr) envelope->kind->dispose(*envelope);
    receiver->release();
  }

  mail& give_envelope() noexcept { return *std::exchange(envelope, nullptr); }
  /// On the receiver's strand, once out of its list.
  void finish_with(verdict v) noexcept {
    how = v;
    if (wait) static_cast<cell*>(waiter)->waits().end(wait);
    finish(kind_of);
  }
  /// Joins the receiver's list; false when there is room or it is closed.
  bool enqueue() noexcept;
  /// Leaves the list; false when it has left already. On the sender's strand.
  bool leave() noexcept;

  static void act(mail& m, strand& s) noexcept;
  static void dispose(mail& m) noexcept { dispose_late(static_cast<send_wait&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};

  cell* receiver;
  mail* envelope;
  send_wait* later = nullptr;
  send_wait* earlier = nullptr;
  bool listed = false;  // under the receiver's lock
  verdict how = verdict::waiting;
  wait_id wait;  // the sender's edge; set before it joins the list
};

}  // namespace troupe::detail
