// A TCP server as a part of the supervision tree.
//
//   struct session {
//     troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer);
//   };
//   troupe::tcp_server<session> server("tcp", {.listen = troupe::ip_endpoint::any(7000)});
//   return sys.run(troupe::supervisor("app").child(server));
//
//   tcp             a supervisor
//   ├─ connections  a dynamic supervisor: one temporary child for each connection
//   └─ listener     accepts; the last to start and the first to stop
#pragma once

#include <troupe/actors/supervisor.hpp>
#include <troupe/transport/connection_limit.hpp>
#include <troupe/transport/detail/connection.hpp>
#include <troupe/transport/endpoint.hpp>
#include <troupe/transport/endpoint_metrics.hpp>
#include <troupe/transport/tcp_options.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// What the server does with connections beyond max_connections.
enum class over_limit : std::uint8_t {
  wait,    ///< they stay in the kernel's queue until one of the others ends
  refuse,  ///< they are accepted, sent the refusal, and closed
};

/// Connections accepted per second, on average, and in one burst after a quiet time.
struct accept_rate {
  std::uint32_t per_second = 0;  ///< 0: as fast as they come
  std::uint32_t burst = 100;
};

struct tcp_server_options {
  /// Port 0: the kernel picks one; see local_endpoint().
  ip_endpoint listen = ip_endpoint::loopback();
  /// Options of accepted connections. The idle timeout is connection.read_deadline, by default
  /// none; a peer that does not read is cut after connection.write_deadline. Where clients may be
  /// silent for long, set connection.keep_alive: otherwise a client whose machine has vanished
  /// keeps its slot forever.
  tcp_options connection = {};
  /// A number, at least 1, or connection_limit::shared() for several servers together.
  connection_limit max_connections = 10'000;
  /// By default the server applies backpressure: a client over the limit waits, as for a slow server,
  /// and is served when there is room. Refusing tells it at once, at the cost of an accept.
  over_limit on_limit = over_limit::wait;
  /// Sent to a refused connection; of static storage.
  std::string_view refusal = {};
  /// Beyond it connections wait in the kernel's queue.
  troupe::accept_rate rate = {};
  /// Connections the kernel queues; capped by net.core.somaxconn.
  int backlog = 1024;
  /// As of a tcp_listener: other sockets may listen there, too, and an IPv6 address takes IPv4 as well.
  bool reuse_port = false;
  bool dual_stack = false;
  /// How long a connection may go on when the server is told to stop. Then it is closed.
  duration drain = std::chrono::seconds(5);
  /// For actors with an on_data(): the longest message, and how long one may take to arrive,
  /// from its first byte to its last.
  std::size_t max_message = 64 * 1024;
  duration message_deadline = std::chrono::seconds(30);
  /// For a tls_server: how long a handshake may take as a whole.
  duration handshake_deadline = std::chrono::seconds(10);
  /// For actors with an inbox; when_stopped is always on_stop::drain.
  mailbox_options mailbox = {};
  /// Counts what the server does, and what other servers do that are given copies of it; by default
  /// each has its own.
  std::optional<endpoint_monitor> monitor = std::nullopt;
  /// Called once the socket listens, on the listener's strand; not again when that is restarted.
  std::function<void(const ip_endpoint& at)> on_listening = nullptr;
};

namespace detail {

/// The state that the server's actors share; see src/server/acceptor.hpp.
class acceptor;

class tcp_server_base {
 public:
  /// The server as a supervisor, to be made a child of another, or run.
  operator supervisor() const;  // implicit: a server is a supervisor
  /// Where it listens; nothing while it does not. Any thread.
  [[nodiscard]] std::optional<ip_endpoint> local_endpoint() const;
  /// Its current figures, or those of its monitor. Any thread, at any time, also after the server has ended.
  [[nodiscard]] endpoint_metrics metrics() const;

 protected:
  tcp_server_base(std::string name, tcp_server_options options,
                  std::shared_ptr<const connection_factory> make,
                  std::optional<tls_context> tls = std::nullopt);

 private:
  std::string name_;
  std::shared_ptr<acceptor> core_;
};

}  // namespace detail

/// A server whose connections are T: one actor each, made from copies of `args`, preceded by
/// its context& if it wants that. A T has one of
///
///   task<void> run(context&, tcp_stream);                 // the whole life of the connection
///   task<void> run(context&, tcp_stream, inbox<Ms...>);   // the same, and messages
///   task<result<std::size_t>> on_data(std::span<const std::byte>, tcp_stream&);
///                                                         // as a consumer of feed()
///
/// The connection ends when run() returns, or when it fails: a connection that crashes is logged
/// and counted, and nothing else. It is a temporary child: a client that wants to go on connects again.
///
/// Told to stop, the server closes its socket first. A connection that waits in until_stopped(ctx,
/// ...), as on_data() does between two messages, resumes at once and can send a last message; a request
/// it is working on may be finished within `drain`. Then it is closed.
///
/// When the socket cannot be opened the tree does not start, and the error says why. Out of file
/// descriptors the listener waits, 10 ms first and up to a second, and goes on when there are some.
///
/// A value, as a supervisor: nothing runs before the tree is started. A copy is the same server;
/// it can be started one at a time. Its functions may be called from any thread.
template <class T>
class tcp_server : public detail::tcp_server_base {
 public:
  template <class... Args>
  explicit tcp_server(std::string name, tcp_server_options options = {}, Args... args)
      : tcp_server_base(std::move(name), std::move(options),
                        detail::make_connection_factory<T, tcp_stream>(std::move(args)...)) {}
};

}  // namespace troupe
