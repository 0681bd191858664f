// What the actors of one tcp_server share: options, figures, the places for connections.
//
// Kept by the server's handle, by its part of the tree, and by its connections. The socket is not
// in here but the listener's own, so that nothing of the runtime outlives it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <troupe/actors/ref.hpp>
#include <troupe/runtime/spinlock.hpp>
#include <troupe/transport/tcp_server.hpp>

#include "endpoint_meter.hpp"

namespace troupe::detail {

/// To the listener: accept, as far as the limits allow.
struct go_on {};

class server_core : public std::enable_shared_from_this<server_core> {
 public:
  server_core(tcp_server_options o, std::shared_ptr<const connection_factory> m)
      : options(o), make(std::move(m)) {}

  const tcp_server_options options;
  const std::shared_ptr<const connection_factory> make;
  const meter_ref meter;

  // -- places: any thread -------------------------------------------------------

  [[nodiscard]] bool is_full() const noexcept {
    return places_.load(std::memory_order_seq_cst) >= options.max_connections;
  }
  void take_place() noexcept { places_.fetch_add(1, std::memory_order_relaxed); }
  /// Wakes the listener if it waits for this.
  void give_place() noexcept;
  /// By the listener: true when the next place that becomes free will be told to it.
  [[nodiscard]] bool wait_for_place() noexcept;

  // -- the listener that runs now: any thread -------------------------------------

  void listening(const ip_endpoint& at, ref<go_on> who) noexcept;
  void not_listening() noexcept;
  [[nodiscard]] std::optional<ip_endpoint> local_endpoint() const noexcept;
  /// Where to listen: the port of the first time, also when the kernel chose it.
  [[nodiscard]] ip_endpoint wanted() const noexcept;

 private:
  // places_ and listener_waits_: the listener raises its flag, then looks at places_ once more; a
  // connection gives its place back, then looks at the flag. Both sides are sequentially
  // consistent, so one of the two sees the other, and no free place is slept through.
  // Broken by: "tcp_server: over the limit clients wait, and all are served".
  atomic<std::uint32_t> places_{0};
  atomic<bool> listener_waits_{false};

  mutable spinlock lock_;
  ref<go_on> listener_;
  ip_endpoint at_;
  bool bound_ = false;
  bool open_ = false;
};

}  // namespace troupe::detail
