// A TLS server as a part of the supervision tree: a tcp_server whose connections begin with the handshake
// done.
//
//   struct session {
//     troupe::task<void> run(troupe::context& ctx, troupe::tls_stream peer);
//   };
//   troupe::tls_server<session> server("tls", context, {.listen = troupe::ip_endpoint::any(7443)});
//   return sys.run(troupe::supervisor("app").child(server));
#pragma once

#include <troupe/transport/tcp_server.hpp>
#include <troupe/transport/tls_context.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <string>
#include <utility>

namespace troupe {

/// A tcp_server for TLS connections. It behaves as a tcp_server, except that a T has one of
///
///   task<void> run(context&, tls_stream);
///   task<void> run(context&, tls_stream, inbox<Ms...>);
///   task<result<std::size_t>> on_data(std::span<const std::byte>, tls_stream&);
///
/// The actor of a connection does the handshake first, so a client that is slow at it does not delay the
/// accepting of others; it occupies a slot meanwhile, for at most handshake_deadline. If the handshake fails,
/// because the client does not speak TLS or its certificate is not accepted, the connection ends without a
/// call of run() or on_data(): it counts as closed.handshake, and is logged at level debug.
///
/// A class with a run() or an on_data() for either stream can serve a tcp_server and a tls_server at once.
/// `refusal` is not sent: a TLS client would not understand it before the handshake. The context must be made
/// by tls_context::server().
/// Errors: as tcp_server.
/// Threads: any.
template <class T>
class tls_server : public detail::tcp_server_base {
 public:
  template <class... Args>
  tls_server(std::string name, tls_context context, tcp_server_options options = {}, Args... args)
      : tcp_server_base(std::move(name), std::move(options),
                        detail::make_connection_factory<T, tls_stream>(std::move(args)...),
                        std::move(context)) {}
};

}  // namespace troupe
