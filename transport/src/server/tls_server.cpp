// The handshake of a tls_server's connection. On its actor's strand.
#include "server/acceptor.hpp"

#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>
#include <troupe/actors/until_stopped.hpp>
#include <troupe/transport/tls_server.hpp>

namespace troupe::detail {

namespace {

// At level debug: an untrusted peer could flood the log.
TROUPE_NOINLINE void note_failure(const context& ctx, connection_slot& slot, const error& why) {
  if (why == errc::cancelled) return;  // the server stops: not a failure of the peer
  slot.handshake_failed();
  ctx.system().core().home().log(log_level::debug, ctx.path() + ": " + why.to_string());
}

}  // namespace

task<tls_stream> shake_hands(context& ctx, connection_slot& slot) {
  const acceptor& core = slot.core();
  result<tls_stream> peer = co_await until_stopped(
      ctx, tls_stream::accept(slot.take_stream(), *core.tls,
                              {.handshake_deadline = core.options.handshake_deadline}));
  if (peer) co_return std::move(*peer);
  note_failure(ctx, slot, peer.error());
  co_return tls_stream();
}

}  // namespace troupe::detail
