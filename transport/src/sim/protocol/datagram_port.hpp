// A datagram socket of the simulated network.
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
struct machine;

class datagram_port final : public pollable {
 public:
  datagram_port(machine& home, std::shared_ptr<binding> where, std::size_t receive_buffer);
  ~datagram_port();

  struct datagram {
    ip_endpoint from;
    ip_endpoint to;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] std::uint32_t present() const noexcept override;
  [[nodiscard]] const std::shared_ptr<binding>& where() const noexcept { return where_; }
  [[nodiscard]] const std::optional<ip_endpoint>& peer() const noexcept { return peer_; }

  /// From now on only `to` is heard, and its silence is an error. Null takes that back.
  int connect(const std::optional<ip_endpoint>& to);
  /// An error number. To the peer, when `to` is null.
  [[nodiscard]] int send(const ip_endpoint* to, std::span<const std::byte> bytes);
  /// The next datagram; when there is none: nullopt and EAGAIN, or the pending error.
  [[nodiscard]] std::optional<datagram> receive(int& error);
  [[nodiscard]] int take_error() noexcept;
  /// Datagrams that found no room.
  [[nodiscard]] std::uint32_t drops() const noexcept { return drops_; }
  void set_receive_buffer(std::size_t n) noexcept { receive_buffer_ = n; }
  int join(const ip_endpoint& group);
  int leave(const ip_endpoint& group);
  /// Whether a datagram sent to a group is also delivered on the sending host.
  bool loops_back = true;

  // -- the network's side -------------------------------------------------------

  [[nodiscard]] bool takes(const packet& p) const noexcept;
  void take(const packet& p);
  /// No socket has the port that a datagram was sent to.
  void unreachable(const ip_endpoint& to) noexcept;
  void vanish() noexcept;

 private:
  machine& home_;
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
