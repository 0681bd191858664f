// The listener of a tcp_server and its supervisors. The listener runs on its own strand.
#include "server/acceptor.hpp"

#include <troupe/actors/supervisor_spec.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/system_core.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/stream_ops.hpp>
#include <troupe/transport/tcp_listener.hpp>
#include <troupe/transport/tcp_server.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

/// Limits the rate of accepts, by the generic cell rate algorithm.
class token_bucket {
 public:
  explicit token_bucket(const accept_rate& r) noexcept
      : step_(r.per_second != 0 ? 1'000'000'000 / std::int64_t{r.per_second} : 0),
        slack_(step_ * std::max<std::int64_t>(r.burst, 1)) {}

  /// The time to wait before the next accept; zero: accept now.
  [[nodiscard]] duration pause(std::int64_t now) const noexcept {
    if (step_ == 0) return duration::zero();
    return duration(std::max<std::int64_t>(full_after_next(now) - now - slack_, 0));
  }
  /// Records an accept.
  void take(std::int64_t now) noexcept { full_at_ = full_after_next(now); }

 private:
  [[nodiscard]] std::int64_t full_after_next(std::int64_t now) const noexcept {
    return std::max(full_at_, now) + step_;
  }

  std::int64_t step_;
  std::int64_t slack_;
  std::int64_t full_at_ = 0;  // when the bucket would be full again
};

/// Starts the actor of one connection, once.
struct one_connection final : child_factory {
  explicit one_connection(connection_slot s) noexcept : slot(std::move(s)) {}
  cell* start(cell& parent, const spawn_options& o) const override {
    const connection_factory& make = *slot.core().make;
    return make.start(parent, o, std::move(slot));
  }
  mutable connection_slot slot;
};

/// Accepts connections and hands each to the dynamic supervisor "connections".
class listener_actor {
 public:
  using accepts = protocol<go_on>;

  listener_actor(context& ctx, const std::shared_ptr<acceptor>& core)
      : core_(core), bucket_(core->options.rate) {
    const tcp_server_options& o = core->options;
    if (o.max_connections.max() == 0) {
      throw troupe_error(error(make_error_code(errc::invalid_argument),
                               "max_connections is 0, so no connection could be served; set it to at least 1",
                               ctx.path()));
    }
    result<tcp_listener> bound = tcp_listener::bind(core->wanted(), {.backlog = o.backlog,
                                                                     .reuse_port = o.reuse_port,
                                                                     .dual_stack = o.dual_stack,
                                                                     .accepted = o.connection});
    if (!bound) throw troupe_error(bound.error());
    listener_ = std::move(*bound);
    // Here, not in started(), so that local_endpoint() is set once the tree is up.
    core_->listening(listener_.local_endpoint().value());
    self_ = ctx.self<listener_actor>();
  }
  listener_actor(const listener_actor&) = delete;
  listener_actor& operator=(const listener_actor&) = delete;
  ~listener_actor() {
    core_->places().forget(self_);
    core_->not_listening();
  }

  void started(context& ctx) {
    const std::string path = ctx.path();
    connections_ = ctx.system().supervisor_at(path.substr(0, path.rfind('/')) + "/connections").value();
    (void)self_.tell(go_on{});
    if (core_->options.on_listening && ctx.epoch() == 0) {
      core_->options.on_listening(listener_.local_endpoint().value());
    }
  }

  task<void> handle(go_on, context& ctx) {
    const bool waits = core_->options.on_limit == over_limit::wait;
    for (;;) {
      // At the connection limit, sleeps until a slot frees: the next go_on.
      if (waits && core_->places().is_full()) {
        if (core_->places().wait(self_)) co_return;
        continue;
      }
      if (!peer_.is_open()) {
        const bool accepted = co_await accept(ctx);
        if (!accepted) continue;
      }
      if (core_->places().try_take()) {
        co_await welcome(ctx, std::move(peer_));
      } else if (!waits) {
        co_await turn_away(std::move(peer_));
      }  // otherwise a server that shares the limit took the last slot, and the peer waits in peer_
    }
  }

 private:
  static constexpr duration first_pause = 10ms;
  static constexpr duration longest_pause = 1s;

  // Accepts the next connection into peer_; false if it has only waited for the rate or after a failure.
  task<bool> accept(context& ctx) {
    const duration pause = bucket_.pause(nanoseconds(ctx));
    if (pause != duration::zero()) {
      co_await sleep_for(pause);
      co_return false;
    }
    result<tcp_stream> peer = co_await listener_.accept();
    if (peer) {
      bucket_.take(nanoseconds(ctx));  // the time of arrival: idle time before it has filled the bucket
      peer_ = std::move(*peer);
    } else {
      co_await sleep_for(after_failure(ctx, peer.error()));
    }
    co_return peer_.is_open();
  }
  static std::int64_t nanoseconds(const context& ctx) { return ctx.now().time_since_epoch().count(); }
  // Usually out of descriptors, until a connection ends. Logs one line, not one for each attempt.
  TROUPE_NOINLINE duration after_failure(const context& ctx, const error& why) {
    core_->meter().failed();
    if (pause_ == duration::zero()) {
      log(ctx, log_level::error, why.to_string() + "; the listener retries until it succeeds");
      pause_ = first_pause;
    } else {
      pause_ = std::min(2 * pause_, longest_pause);
    }
    return pause_;
  }
  task<void> turn_away(tcp_stream peer) {
    core_->meter().refused();
    // A TLS client does not understand plain text before the handshake.
    if (core_->options.refusal.empty() || core_->tls) co_return;
    // Sends what fits without waiting, which may take more than one write.
    for (auto rest = std::as_bytes(std::span(core_->options.refusal)); !rest.empty();) {
      const result<std::size_t> sent = peer.try_write(rest);
      if (!sent || *sent == 0) break;
      rest = rest.subspan(*sent);
    }
    co_await close_gracefully(peer, duration::zero());  // don't wait for refused peers
  }
  task<void> welcome(context& ctx, tcp_stream peer) {
    if (pause_ != duration::zero()) recovered(ctx);
    const result<any_ref> child =
        co_await orders_of(connections_).ask(start_order(std::move(peer)), supervisor_ref::patience);
    if (!child && child.error() != errc::closed) report(ctx, child.error());
  }
  TROUPE_NOINLINE start_child start_order(tcp_stream peer) {
    child_options o{.restart = restart::temporary, .mailbox = core_->options.mailbox};
    o.mailbox.when_stopped = on_stop::drain;
    return {make_child_spec(std::string(), o,
                            std::make_shared<one_connection>(connection_slot(core_, std::move(peer))))};
  }
  TROUPE_NOINLINE void recovered(const context& ctx) {
    pause_ = duration::zero();
    log(ctx, log_level::info, "accepting connections again");
  }
  TROUPE_NOINLINE void report(const context& ctx, const error& why) const {
    log(ctx, log_level::error,
        "cannot start the actor of a connection, so the connection was closed: " + why.to_string());
  }
  static void log(const context& ctx, log_level level, const std::string& text) {
    ctx.system().core().home().log(level, ctx.path() + ": " + text);
  }

  std::shared_ptr<acceptor> core_;
  ref<go_on> self_;
  tcp_listener listener_;
  tcp_stream peer_;  // accepted, not yet given to an actor
  supervisor_ref connections_;
  token_bucket bucket_;
  duration pause_{};  // before the next attempt; zero: the last accept succeeded
};

// The time after `drain` for the listener and the actors of closed connections to end.
constexpr duration grace = 1s;

}  // namespace

tcp_server_base::tcp_server_base(std::string name, tcp_server_options options,
                                 std::shared_ptr<const connection_factory> make,
                                 std::optional<tls_context> tls)
    : name_(std::move(name)),
      core_(std::make_shared<acceptor>(std::move(options), std::move(make), std::move(tls))) {}

tcp_server_base::operator supervisor() const {
  const std::int64_t within = deadline_after(grace.count(), core_->options.drain);
  return supervisor(name_, {.shutdown = duration(within)})
      .child(supervisor("connections", {.strategy = dynamic}))
      .child<listener_actor>("listener", {.mailbox = {.capacity = 4}}, core_);
}

std::optional<ip_endpoint> tcp_server_base::local_endpoint() const {
  return core_->local_endpoint();
}

endpoint_metrics tcp_server_base::metrics() const {
  return core_->monitor.read();
}

}  // namespace troupe::detail
