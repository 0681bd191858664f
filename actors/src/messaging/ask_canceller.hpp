// The notice to a receiver that a request was given up, made along with the request
// when it was asked with `cancel_on_timeout`.
//
//   asker:     makes it; frees it when the reply comes, or sends it when it gives up
//   receiver:  acts on it, on its strand, and frees it there, or when it is dead; before it forwards the
//              request it says whom the notice is to go to instead
//
// What it cancels is found by its address: the request in work names the canceller it
// was sent with. So it needs no pointer to an envelope, which may be answered, freed,
// and somebody else's by the time the notice arrives.
#pragma once

#include <troupe/actors/detail/cell.hpp>

namespace troupe::detail {

struct ask_canceller final : mail {
  explicit ask_canceller(cell& receiver) noexcept : mail(kind_of), to(&receiver) { to->share(); }
  ~ask_canceller() { to->release(); }
  ask_canceller(const ask_canceller&) = delete;
  ask_canceller& operator=(const ask_canceller&) = delete;

  /// From here it belongs to the receiver.
  void send() noexcept { to->post(*this); }

  /// Whoever holds the request gives it to `next`: what it is cancelled by goes there too.
  static void redirect(ask_envelope_base& e, cell& next) noexcept {
    if (e.cancel == nullptr) return;
    request_state expected = request_state::wanted;
    if (!e.state.compare_exchange_strong(expected, request_state::moving, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
      return;  // given up: it is on its way, or gone
    }
    next.share();
    cell* const before = std::exchange(e.cancel->to, &next);
    e.state.store(request_state::wanted, std::memory_order_release);
    before->release();
  }

  static void act(mail& m, strand& s) noexcept {
    static_cast<cell&>(s).cancel_handling(static_cast<ask_canceller&>(m));
    dispose(m);
  }
  static void dispose(mail& m) noexcept { slab_delete(&static_cast<ask_canceller&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};

  cell* to;
};

}  // namespace troupe::detail
