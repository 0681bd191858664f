// Hands a request that was taken on to another actor. Any thread that holds the reply_to.
#include "messaging/ask_canceller.hpp"
#include "messaging/wait_graph.hpp"

#include <troupe/actors/forward.hpp>

namespace troupe::detail {

void check_forwarded(const ask_envelope_base* e, const message_kind* k) {
  if (e != nullptr && e->kind == k) return;
  throw troupe_error(error(
      make_error_code(errc::invalid_argument),
      e == nullptr ? std::string("forward: the request has been answered")
                   : std::string("forward: the reply_to is of ") + kind_of(*e).name + ", not of " + k->name));
}

void send_on(ask_envelope_base& e, cell* receiver) noexcept {
  if (receiver == nullptr) {
    kind_of(e).refuse(e, error(errc::closed));
    return;
  }
  cell& to = *receiver;
  ask_canceller::redirect(e, to);
  std::optional<error> cycle;
  switch (deliver_forwarded(e, to, cycle)) {
    case push_result::full:
      if (!lose_newest(to, e)) kind_of(e).refuse(e, error(errc::full));
      break;
    case push_result::closed:
      kind_of(e).refuse(e, cycle ? std::move(*cycle) : error(errc::closed));
      break;
    default:
      break;
  }
}

}  // namespace troupe::detail
