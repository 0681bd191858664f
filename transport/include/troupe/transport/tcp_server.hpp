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

/// The treatment of connections beyond max_connections.
enum class over_limit : std::uint8_t {
  wait,    ///< they stay in the kernel's queue until another connection ends
  refuse,  ///< they are accepted, sent the refusal, and closed
};

/// The average number of accepts per second, and the number that may come at once after an idle time.
struct accept_rate {
  std::uint32_t per_second = 0;  ///< 0: unlimited
  std::uint32_t burst = 100;
};

/// Options of a tcp_server or tls_server. Use designated initializers.
struct tcp_server_options {
  /// The address to listen on. Port 0: the kernel picks one; see local_endpoint().
  ip_endpoint listen = ip_endpoint::loopback();
  /// Options of accepted connections. connection.read_deadline is their idle timeout; there is none by
  /// default. A peer that does not read is disconnected after connection.write_deadline. If clients may be
  /// silent for long, set connection.keep_alive: otherwise a client whose host has vanished keeps its slot
  /// forever.
  tcp_options connection = {};
  /// A number, at least 1, or connection_limit::shared() for several servers together.
  connection_limit max_connections = 10'000;
  /// By default backpressure reaches the client: over the limit it waits, as for a slow server, and is served
  /// when a slot frees. Refusing answers it at once, at the cost of an accept.
  over_limit on_limit = over_limit::wait;
  /// The text sent to a refused connection; must have static storage.
  std::string_view refusal = {};
  /// The rate of accepts. Beyond it connections wait in the kernel's queue.
  troupe::accept_rate rate = {};
  /// The length of the kernel's queue; capped by net.core.somaxconn.
  int backlog = 1024;
  /// As for a tcp_listener: other sockets may listen on the same port; an IPv6 address accepts IPv4, too.
  bool reuse_port = false;
  bool dual_stack = false;
  /// How long a connection may continue when the server is told to stop. Then it is closed.
  duration drain = std::chrono::seconds(5);
  /// For an on_data(): the maximum size of a message, and the maximum time from its first byte to its last.
  std::size_t max_message = 64 * 1024;
  duration message_deadline = std::chrono::seconds(30);
  /// For a tls_server: the maximum duration of a handshake.
  duration handshake_deadline = std::chrono::seconds(10);
  /// For a run() with an inbox; when_stopped is ignored, and always on_stop::drain.
  mailbox_options mailbox = {};
  /// Collects the server's metrics, together with those of other servers that are given copies of it; by
  /// default each server has its own.
  std::optional<endpoint_monitor> monitor = std::nullopt;
  /// Called on the listener's strand once the socket listens; not called again when the listener is
  /// restarted.
  std::function<void(const ip_endpoint& at)> on_listening = nullptr;
};

namespace detail {

/// The shared state of the server's actors; see src/server/acceptor.hpp.
class acceptor;

class tcp_server_base {
 public:
  /// The server as a supervisor: make it a child of another, or run it.
  operator supervisor() const;  // implicit: a server is a supervisor
  /// Where it listens; nullopt while it does not.
  /// Threads: any.
  [[nodiscard]] std::optional<ip_endpoint> local_endpoint() const;
  /// Its metrics now, or those of its monitor; also after the server has ended.
  /// Threads: any.
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

/// A server that runs one actor of type T per connection. T is constructed from copies of `args`, preceded by
/// its context& if it takes one. A T has one of
///
///   task<void> run(context&, tcp_stream);                 // the whole life of the connection
///   task<void> run(context&, tcp_stream, inbox<Ms...>);   // the same, and messages
///   task<result<std::size_t>> on_data(std::span<const std::byte>, tcp_stream&);
///                                                         // as the consumer of feed()
///
/// The connection ends when run() returns or fails. A crash is logged and counted, and affects no other
/// actor: the connection is a temporary child, and the client has to connect again.
///
/// When the server is told to stop, it closes its listening socket first. A connection that waits in
/// until_stopped(ctx, ...), as on_data() does between two messages, continues at once and can end in order;
/// other work, such as the present request, may finish within `drain`. Then the connection is closed.
///
/// A value, as a supervisor: nothing runs before the tree is started. A copy is the same server, and can be
/// started once at a time.
/// Errors: if it cannot listen, or max_connections is 0, the tree does not start, and the error says why.
/// After a failed accept, as without file descriptors, the listener retries after 10 ms, then with a doubled
/// pause of up to a second.
/// Threads: any.
template <class T>
class tcp_server : public detail::tcp_server_base {
 public:
  template <class... Args>
  explicit tcp_server(std::string name, tcp_server_options options = {}, Args... args)
      : tcp_server_base(std::move(name), std::move(options),
                        detail::make_connection_factory<T, tcp_stream>(std::move(args)...)) {}
};

}  // namespace troupe
