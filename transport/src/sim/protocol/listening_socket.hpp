// A listening socket of the simulated network: connections that wait to be accepted.
#pragma once

#include "sim/pollable.hpp"
#include "sim/protocol/packet.hpp"

#include <deque>
#include <memory>

namespace troupe::detail::simnet {

struct binding;
struct machine;
class tcp_endpoint;

class listening_socket final : public pollable, public std::enable_shared_from_this<listening_socket> {
 public:
  listening_socket(machine& home, std::shared_ptr<binding> where, std::size_t send_buffer,
                   std::size_t receive_buffer);
  ~listening_socket();

  [[nodiscard]] std::uint32_t present() const noexcept override;
  [[nodiscard]] const std::shared_ptr<binding>& where() const noexcept { return where_; }

  /// The longest waiting connection; null and EAGAIN when there is none.
  [[nodiscard]] std::shared_ptr<tcp_endpoint> accept(int& error);
  void set_backlog(int n) noexcept { backlog_ = n < 0 ? 0 : static_cast<std::size_t>(n); }
  /// Resets the connections that wait.
  void close() noexcept;
  /// The host went down.
  void vanish() noexcept;

  // -- the network's side -------------------------------------------------------

  /// A connection is asked for: answers, or is silent when too many wait.
  void ask(const packet& syn);
  /// A connection that was asked for here is complete.
  void complete(std::shared_ptr<tcp_endpoint> s);
  /// A connection that was asked for has failed.
  void lost_one() noexcept { --embryonic_; }

 private:
  machine& home_;
  std::shared_ptr<binding> where_;
  std::size_t send_buffer_;
  std::size_t receive_buffer_;
  std::size_t backlog_ = 0;
  std::size_t embryonic_ = 0;  // answered, but not complete
  std::deque<std::shared_ptr<tcp_endpoint>> waiting_;
  int failed_ = 0;
};

}  // namespace troupe::detail::simnet
