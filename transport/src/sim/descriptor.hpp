// Descriptors of the simulated network, and the objects they refer to.
//
// Descriptor numbers are unique in the process, since simulations may run on several threads and a stream may
// outlive its runtime. The table may be used by any thread; a descriptor belongs to the thread of its
// simulation.
#pragma once

#include "sim/kernel.hpp"

#include <memory>
#include <optional>

namespace troupe::detail::simnet {

/// The simulated host on which a thread runs; home is null when it runs on none.
struct standpoint {
  engine* home = nullptr;
  std::uint16_t place = 0;
};
/// That of this thread outside of slices; sim::host::visit sets it.
[[nodiscard]] standpoint& standpoint_of_thread() noexcept;

struct descriptor {
  descriptor(std::shared_ptr<kernel> n, host& h, int fam, int t)
      : net(std::move(n)), home(h), family(fam), type(t), born(h.boots) {
    ++home.open_sockets;
  }
  ~descriptor();
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  /// Whether its host has gone down since it was opened.
  [[nodiscard]] bool is_lost() const noexcept { return born != home.boots || !home.up; }
  [[nodiscard]] pollable* object() const noexcept;
  /// Reports the present state of a newly created object to the watcher.
  void begin() const noexcept {
    if (watcher != nullptr) object()->watch(watcher);
  }
  [[nodiscard]] std::size_t send_size() const noexcept {
    return send_buffer != 0 ? send_buffer : net->options.send_buffer;
  }
  [[nodiscard]] std::size_t receive_size() const noexcept {
    return receive_buffer != 0 ? receive_buffer : net->options.receive_buffer;
  }

  const std::shared_ptr<kernel> net;  // destroyed last
  host& home;
  const int family;
  const int type;
  const unsigned born;
  binding wanted;  // the argument of a later bind()
  std::shared_ptr<binding> port;
  std::size_t send_buffer = 0;  // 0: the network's default
  std::size_t receive_buffer = 0;
  tcp_endpoint::keep_alive keep_alive;
  io_source* watcher = nullptr;
  // At most one of these is set.
  std::shared_ptr<tcp_endpoint> stream;
  std::shared_ptr<listening_socket> listener;
  std::shared_ptr<datagram_port> datagrams;
};

/// Enters `d` into the table and returns its number.
[[nodiscard]] int number_for(std::shared_ptr<descriptor> d);
/// The descriptor of this number; null if there is none.
[[nodiscard]] std::shared_ptr<descriptor> descriptor_at(int fd) noexcept;
/// The same; removes it from the table and frees its number.
[[nodiscard]] std::shared_ptr<descriptor> take_descriptor(int fd) noexcept;

}  // namespace troupe::detail::simnet
