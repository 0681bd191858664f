// The object behind a descriptor of the simulated network.
//
// Descriptors are unique in the process: simulations may run on several threads, and a stream may outlive its
// runtime. Everything except the table itself belongs to the thread of its simulation.
#pragma once

#include "sim/kernel.hpp"

#include <memory>
#include <optional>

namespace troupe::detail::simnet {

/// Where a thread stands, when it stands on a simulated host.
struct standpoint {
  engine* home = nullptr;
  std::uint16_t place = 0;
};
/// Of this thread, outside of slices; sim::host::visit sets it.
[[nodiscard]] standpoint& standpoint_of_thread() noexcept;

struct descriptor {
  descriptor(std::shared_ptr<kernel> n, machine& h, int fam, int t)
      : net(std::move(n)), home(h), family(fam), type(t), born(h.boots) {
    ++home.open_sockets;
  }
  ~descriptor();
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  /// Its host went down since it was opened.
  [[nodiscard]] bool is_lost() const noexcept { return born != home.boots || !home.up; }
  [[nodiscard]] pollable* object() const noexcept;
  /// Tells the watcher of what has just come to be behind this.
  void begin() const noexcept {
    if (watcher != nullptr) object()->watch(watcher);
  }
  [[nodiscard]] std::size_t send_size() const noexcept {
    return send_buffer != 0 ? send_buffer : net->options.send_buffer;
  }
  [[nodiscard]] std::size_t receive_size() const noexcept {
    return receive_buffer != 0 ? receive_buffer : net->options.receive_buffer;
  }

  const std::shared_ptr<kernel> net;  // the last to go
  machine& home;
  const int family;
  const int type;
  const unsigned born;
  binding wanted;  // what bind() will ask for
  std::shared_ptr<binding> port;
  std::size_t send_buffer = 0;  // 0: the network's default
  std::size_t receive_buffer = 0;
  tcp_endpoint::keep_alive keep_alive;
  io_source* watcher = nullptr;
  // At most one of them.
  std::shared_ptr<tcp_endpoint> stream;
  std::shared_ptr<listening_socket> listener;
  std::shared_ptr<datagram_port> datagrams;
};

/// A number for `d`.
[[nodiscard]] int number_for(std::shared_ptr<descriptor> d);
/// Null when there is none.
[[nodiscard]] std::shared_ptr<descriptor> descriptor_at(int fd) noexcept;
/// The same, and the number is free.
[[nodiscard]] std::shared_ptr<descriptor> take_descriptor(int fd) noexcept;

}  // namespace troupe::detail::simnet
