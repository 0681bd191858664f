// A listening socket: its queue of connections to be accepted.
//
// Owned by its descriptor; half-open connections refer to it weakly. On the simulation's thread.
#pragma once

#include "sim/pollable.hpp"
#include "sim/protocol/packet.hpp"

#include <deque>
#include <memory>

namespace troupe::detail::simnet {

struct binding;
struct host;
class tcp_endpoint;

class listening_socket final : public pollable, public std::enable_shared_from_this<listening_socket> {
 public:
  listening_socket(host& home, std::shared_ptr<binding> where, std::size_t send_buffer,
                   std::size_t receive_buffer);
  ~listening_socket();

  [[nodiscard]] std::uint32_t present() const noexcept override;
  [[nodiscard]] const std::shared_ptr<binding>& where() const noexcept { return where_; }

  /// The connection that has waited longest. Without one returns null and sets `error`, usually to EAGAIN.
  [[nodiscard]] std::shared_ptr<tcp_endpoint> accept(int& error);
  void set_backlog(int n) noexcept { backlog_ = n < 0 ? 0 : static_cast<std::size_t>(n); }
  /// Stops listening, and resets the connections that wait to be accepted.
  void close() noexcept;
  /// The host went down.
  void vanish() noexcept;

  // -- the network's side -------------------------------------------------------

  /// Answers a SYN; drops it if the backlog is full.
  void receive_syn(const packet& syn);
  /// The handshake of `s` is complete.
  void complete(std::shared_ptr<tcp_endpoint> s);
  /// A half-open connection has ended.
  void lost_one() noexcept { --embryonic_; }

 private:
  host& home_;
  std::shared_ptr<binding> where_;
  std::size_t send_buffer_;
  std::size_t receive_buffer_;
  std::size_t backlog_ = 0;
  std::size_t embryonic_ = 0;  // half-open connections
  std::deque<std::shared_ptr<tcp_endpoint>> waiting_;
  int failed_ = 0;
};

}  // namespace troupe::detail::simnet
