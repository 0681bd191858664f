// Sending and receiving on a simulated datagram socket. On the simulation's thread.
#include "sim/protocol/datagram_port.hpp"

#include "sim/kernel.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::detail::simnet {

namespace {
constexpr std::size_t largest_v4 = 65507;  // 65535 without the headers of IP and UDP
constexpr std::size_t largest_v6 = 65527;
constexpr std::size_t overhead = 256;  // charged to the buffer for each datagram, in addition to its bytes
}  // namespace

datagram_port::datagram_port(host& home, std::shared_ptr<binding> where, std::size_t receive_buffer)
    : home_(home), where_(std::move(where)), receive_buffer_(receive_buffer) {
  home_.ports.push_back(this);
}

datagram_port::~datagram_port() {
  std::erase(home_.ports, this);
}

std::uint32_t datagram_port::present() const noexcept {
  if (gone_) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP;
  std::uint32_t events = EPOLLOUT;
  if (!queue_.empty()) events |= EPOLLIN;
  if (error_ != 0) events |= EPOLLIN | EPOLLERR;
  return events;
}

int datagram_port::connect(const std::optional<ip_endpoint>& to) {
  if (gone_) return host_is_down;
  if (to && home_.net.find(*to, home_) == nullptr) return ENETUNREACH;
  peer_ = to;
  if (to && is_any(where_->at)) where_->at = home_.source_for(*to).with_port(where_->at.port());
  return 0;
}

int datagram_port::send(const ip_endpoint* to, std::span<const std::byte> bytes) {
  if (gone_) return host_is_down;
  if (error_ != 0) return take_error();
  if (to == nullptr && !peer_) return EDESTADDRREQ;
  packet p;
  p.what = packet::kind::datagram;
  p.to = to != nullptr ? *to : *peer_;
  if (bytes.size() > (p.to.is_v6() ? largest_v6 : largest_v4)) return EMSGSIZE;
  if (p.to.port() == 0) return EINVAL;
  p.bytes.assign(bytes.begin(), bytes.end());
  const ip_endpoint& at = where_->at;
  p.from = is_any(at) ? home_.source_for(p.to).with_port(at.port()) : at;
  if (p.to.is_multicast()) {
    home_.net.send_to_group(home_, p, loops_back);
    return 0;
  }
  if (home_.net.find(p.to, home_) == nullptr) return ENETUNREACH;
  if (is_any(p.to)) p.to = home_.source_for(p.to).with_port(p.to.port());
  home_.net.send_datagram(home_, std::move(p));
  return 0;
}

std::optional<datagram_port::datagram> datagram_port::receive(int& error) {
  error = gone_ ? host_is_down : error_ != 0 ? take_error() : queue_.empty() ? EAGAIN : 0;
  if (error != 0) return std::nullopt;
  std::optional<datagram> first(std::move(queue_.front()));
  queue_.pop_front();
  queued_ -= first->bytes.size() + overhead;
  home_.net.note(first->bytes.size());
  return first;
}

int datagram_port::take_error() noexcept {
  return std::exchange(error_, 0);
}

int datagram_port::join(const ip_endpoint& group) {
  if (!group.is_multicast()) return EINVAL;
  if (std::ranges::find(groups_, group.with_port(0)) != groups_.end()) return EADDRINUSE;
  groups_.push_back(group.with_port(0));
  return 0;
}

int datagram_port::leave(const ip_endpoint& group) {
  return std::erase(groups_, group.with_port(0)) != 0 ? 0 : EADDRNOTAVAIL;
}

bool datagram_port::takes(const packet& p) const noexcept {
  if (!where_->takes(p.to)) return false;
  if (p.to.is_multicast() && std::ranges::find(groups_, p.to.with_port(0)) == groups_.end()) return false;
  return !peer_ || *peer_ == p.from;
}

void datagram_port::take(const packet& p) {
  const std::size_t size = p.bytes.size() + overhead;
  // As in a kernel: a datagram is taken while there is any room.
  if (queued_ >= receive_buffer_) {
    ++drops_;
    return;
  }
  queue_.push_back({.from = p.from, .to = p.to, .bytes = p.bytes});
  queued_ += size;
  edge();
}

void datagram_port::unreachable(const ip_endpoint& to) noexcept {
  if (peer_ != to) return;  // only a connected socket gets the error
  error_ = ECONNREFUSED;
  edge();
}

void datagram_port::vanish() noexcept {
  gone_ = true;
  queue_.clear();
  edge();
}

}  // namespace troupe::detail::simnet
