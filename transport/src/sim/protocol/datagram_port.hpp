// A datagram socket of the simulated network. Owned by its descriptor; on the simulation's thread.
#pragma once

#include "sim/pollable.hpp"
#include "sim/protocol/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace troupe::detail::simnet {

struct binding;
struct host;

class datagram_port final : public pollable {
 public:
  datagram_port(host& home, std::shared_ptr<binding> where, std::size_t receive_buffer);
  ~datagram_port();

  struct datagram {
    ip_endpoint from;
    ip_endpoint to;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] std::uint32_t present() const noexcept override;
  [[nodiscard]] const std::shared_ptr<binding>& where() const noexcept { return where_; }
  [[nodiscard]] const std::optional<ip_endpoint>& peer() const noexcept { return peer_; }

  /// Receives only from `to` from now on, and reports its unreachable port as an error. Null undoes that.
  int connect(const std::optional<ip_endpoint>& to);
  /// Sends to `to`, or to the connected peer if it is null. Returns an error number.
  [[nodiscard]] int send(const ip_endpoint* to, std::span<const std::byte> bytes);
  /// The next datagram. Without one returns nothing and sets `error`, to EAGAIN or to a pending error.
  [[nodiscard]] std::optional<datagram> receive(int& error);
  [[nodiscard]] int take_error() noexcept;
  /// Number of datagrams dropped because the buffer was full.
  [[nodiscard]] std::uint32_t drops() const noexcept { return drops_; }
  void set_receive_buffer(std::size_t n) noexcept { receive_buffer_ = n; }
  int join(const ip_endpoint& group);
  int leave(const ip_endpoint& group);
  /// Whether datagrams sent to a group are also delivered to members on the same host.
  bool loops_back = true;

  // -- the network's side -------------------------------------------------------

  [[nodiscard]] bool takes(const packet& p) const noexcept;
  void take(const packet& p);
  /// The port that a datagram was sent to is not bound.
  void unreachable(const ip_endpoint& to) noexcept;
  /// The host went down.
  void vanish() noexcept;

 private:
  host& home_;
  std::shared_ptr<binding> where_;
  ip_endpoint local_;
  std::optional<ip_endpoint> peer_;
  std::vector<ip_endpoint> groups_;
  std::deque<datagram> queue_;
  std::size_t queued_ = 0;
  std::size_t receive_buffer_;
  std::uint32_t drops_ = 0;
  int error_ = 0;
  bool gone_ = false;
};

}  // namespace troupe::detail::simnet
