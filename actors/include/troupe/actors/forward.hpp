// forward(request, to): another actor answers a request in the place of the one that was asked.
//
//   void handle(order m, troupe::reply_to<receipt> owed) {
//     const troupe::ref<order> shop = shop_for(m);
//     troupe::forward(troupe::request<order>{std::move(m), std::move(owed)}, shop);
//   }
//
// The request travels on in its envelope. So the new receiver sees the asker's deadline, is cancelled with
// the asker, and is the one that the asker waits for: a wait for the asker would close a cycle.
#pragma once

#include <troupe/actors/inbox.hpp>
#include <troupe/actors/ref.hpp>

#include <utility>

namespace troupe {
namespace detail {

/// Sends the envelope on; `to` null: closed. Refused, its asker is told so; the envelope is not the caller's
/// any more.
void send_on(ask_envelope_base& e, cell* to) noexcept;
/// Throws when the obligation is not one to answer such a message.
void check_forwarded(const ask_envelope_base* e, const message_kind* k);

template <class M>
void put_back(ask_envelope<M>& e, M&& m) {
  static_assert(can_be_given_back<M>,
                "troupe: to be forwarded a message must be move-assignable, or its move must not throw");
  give_back(e.message, m);
}

}  // namespace detail

/// Hands a request on. `r.message` may be another than the one that came; `r.reply` must be of a request of
/// the same type, and unanswered.
/// Errors: the asker gets what it would have got from `to` itself: the reply, full, closed, or would_deadlock
/// when `to` waits for the asker. The caller gets troupe_error, errc::invalid_argument, when `r.reply` is not
/// as it must be; what moving the message throws. The request is dropped then, as with its reply_to.
/// Threads: any that may answer the request.
/// Cancellation: the asker's deadline and `cancel_on_timeout` count for `to` as they did before.
template <class M, class... Ms>
void forward(request<M> r, const ref<Ms...>& to) {
  static_assert(detail::is_accepted_by_protocol<M, Ms...>,
                "troupe: the actor behind this ref does not accept this message");
  detail::check_forwarded(r.reply.envelope(), detail::message_id<M>());
  detail::put_back(static_cast<detail::ask_envelope<M>&>(*r.reply.envelope()), std::move(r.message));
  detail::send_on(*r.reply.release(), to.cell());
}

}  // namespace troupe
