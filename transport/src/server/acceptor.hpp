// The state that the actors of one tcp_server or tls_server share: options, figures, the places for
// connections.
//
// Owned by the server's handle, its part of the tree, and its connections. The listener owns the socket, so
// that no part of the runtime outlives it.
#pragma once

#include "server/admission.hpp"
#include "server/endpoint_meter.hpp"

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/transport/tcp_server.hpp>

#include <memory>
#include <optional>
#include <string>

namespace troupe::detail {

class acceptor {
 public:
  acceptor(tcp_server_options o, std::shared_ptr<const connection_factory> m, std::optional<tls_context> t)
      : options(std::move(o)),
        make(std::move(m)),
        tls(std::move(t)),
        monitor(options.monitor.value_or(endpoint_monitor())),
        places_(options.max_connections.places()) {}

  const tcp_server_options options;
  const std::shared_ptr<const connection_factory> make;
  const std::optional<tls_context> tls;  // of a tls_server
  const endpoint_monitor monitor;

  [[nodiscard]] endpoint_meter& meter() const noexcept { return monitor.meter(); }
  [[nodiscard]] admission& places() const noexcept { return *places_; }

  // -- the listener that runs now: any thread -------------------------------------

  void listening(const ip_endpoint& at) noexcept;
  void not_listening() noexcept;
  [[nodiscard]] std::optional<ip_endpoint> local_endpoint() const noexcept;
  /// Where to listen: the port of the first time, also when the kernel chose it.
  [[nodiscard]] ip_endpoint wanted() const noexcept;

 private:
  const std::shared_ptr<admission> places_;

  mutable spinlock lock_;
  ip_endpoint at_;
  bool bound_ = false;
  bool open_ = false;
};

}  // namespace troupe::detail
