// The shared state of one tcp_server or tls_server: options, metrics and admission.
//
// Owned jointly by the server's handle, its supervisor and its connections. Any thread. The socket belongs to
// the listener actor, so that this may outlive the runtime.
#pragma once

#include "server/admission.hpp"
#include "server/endpoint_meter.hpp"

#include <troupe/runtime/detail/spinlock.hpp>
#include <troupe/runtime/detail/thread_safety.hpp>
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

  // -- the present listener: any thread ---------------------------------------------

  void listening(const ip_endpoint& at) noexcept;
  void not_listening() noexcept;
  [[nodiscard]] std::optional<ip_endpoint> local_endpoint() const noexcept;
  /// Where to listen. After a restart this is the first port again, even if the kernel chose it.
  [[nodiscard]] ip_endpoint wanted() const noexcept;

 private:
  const std::shared_ptr<admission> places_;

  mutable spinlock lock_;
  ip_endpoint at_ TROUPE_GUARDED_BY(lock_);
  bool bound_ TROUPE_GUARDED_BY(lock_) = false;  // at_ is set
  bool open_ TROUPE_GUARDED_BY(lock_) = false;   // the listener is open
};

}  // namespace troupe::detail
