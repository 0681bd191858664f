// The notice to a receiver that the asker has given up a request. Made along with the request when it is
// asked with `cancel_on_timeout`.
//
//   asker:     makes it; frees it when the reply comes, or sends it when it gives up
//   receiver:  acts on it, on its strand, and frees it there, or when it is dead;
//              before it forwards the request, it redirects the notice to the next receiver
//
// The notice finds its request by address: a request names the canceller it was sent with. So the notice
// needs no pointer to an envelope, which may be answered, freed and used again by the time the notice
// arrives.
#pragma once

#include <troupe/actors/detail/cell.hpp>

namespace troupe::detail {

struct ask_canceller final : mail {
  explicit ask_canceller(cell& receiver) noexcept : mail(kind_of), to(&receiver) { to->share(); }
  ~ask_canceller() { to->release(); }
  ask_canceller(const ask_canceller&) = delete;
  ask_canceller& operator=(const ask_canceller&) = delete;

  /// Hands it to the receiver, which owns it from here on.
  void send() noexcept { to->post(*this); }

  /// The holder of the request gives it to `next`: its notice goes there too.
  static void redirect(ask_envelope_base& e, cell& next) noexcept {
    if (e.cancel == nullptr) return;
    request_state expected = request_state::wanted;
    if (!e.state.compare_exchange_strong(expected, request_state::moving, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
      return;  // given up: the notice is on its way, or freed
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
