// The listener's state of a server, and the slot of one connection.
#include "server/acceptor.hpp"

#include "socket/socket_access.hpp"

namespace troupe::detail {

// -- the listener -------------------------------------------------------------------

void acceptor::listening(const ip_endpoint& at) noexcept {
  const scoped_lock guard(lock_);
  at_ = at;
  bound_ = open_ = true;
}

void acceptor::not_listening() noexcept {
  const scoped_lock guard(lock_);
  open_ = false;
}

std::optional<ip_endpoint> acceptor::local_endpoint() const noexcept {
  const scoped_lock guard(lock_);
  return open_ ? std::optional(at_) : std::nullopt;
}

ip_endpoint acceptor::wanted() const noexcept {
  const scoped_lock guard(lock_);
  return bound_ ? at_ : options.listen;
}

// -- the slot of a connection ---------------------------------------------------------

connection_slot::connection_slot(std::shared_ptr<acceptor> core, tcp_stream stream) noexcept
    : core_(std::move(core)), socket_(socket_access::take(std::move(stream))) {
  socket_->count_in(core_->meter());
  core_->meter().accepted();
}

tcp_stream connection_slot::take_stream() noexcept {
  return socket_access::stream(socket_);
}

void connection_slot::leave(close_reason why) noexcept {
  if (!core_) return;
  socket_ = {};
  core_->meter().closed(why);
  core_->places().give();
  core_.reset();
}

close_reason connection_slot::reason(const cell& c) const noexcept {
  using ending = socket_state::ending;
  if (c.reason().kind() == exit_kind::error) return close_reason::crash;
  if (handshake_failed_) return close_reason::handshake;
  if (c.stop_asked()) return close_reason::drain;
  switch (socket_->ended_by) {
    case ending::peer:
      return close_reason::peer;
    case ending::idle:
      return close_reason::idle;
    case ending::failed:
      return close_reason::error;
    case ending::none:
      break;
  }
  return close_reason::finished;
}

duration drain_time(connection_slot& slot) noexcept {
  return slot.core().options.drain;
}

}  // namespace troupe::detail
