// The notice to a receiver that a request was given up, made along with the request
// when it was asked with `cancels`.
//
//   asker:     makes it; frees it when the reply comes, or sends it when it gives up
//   receiver:  acts on it, on its strand, and frees it there, or when it is dead
//
// What it cancels is found by its address: the request in work names the canceller it
// was sent with. So it needs no pointer to an envelope, which may be answered, freed,
// and somebody else's by the time the notice arrives.
#pragma once

#include <troupe/actors/cell.hpp>

namespace troupe::detail {

struct ask_canceller final : mail {
  explicit ask_canceller(cell& receiver) noexcept : mail(kind_of), to(&receiver) { to->share(); }
  ~ask_canceller() { to->release(); }
  ask_canceller(const ask_canceller&) = delete;
  ask_canceller& operator=(const ask_canceller&) = delete;

  /// From here it belongs to the receiver.
  void send() noexcept { to->post(*this); }

  static void act(mail& m, strand& s) noexcept {
    static_cast<cell&>(s).cancel_handling(static_cast<ask_canceller&>(m));
    dispose(m);
  }
  static void dispose(mail& m) noexcept { slab_delete(&static_cast<ask_canceller&>(m)); }
  static constexpr mail_kind kind_of{&act, &dispose};

  cell* to;
};

}  // namespace troupe::detail
