// Binding of ports and delivery of packets on a simulated host. On the simulation's thread.
#include "sim/host.hpp"

#include "sim/kernel.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::detail::simnet {

namespace {

constexpr std::uint16_t first_ephemeral = 32768;
constexpr std::uint16_t last_ephemeral = 60999;
constexpr std::size_t remembered = 1024;

ip_endpoint own_v4(std::uint16_t id) noexcept {
  const unsigned n = id + 1U;
  return {ip_endpoint::v4_bytes{10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}, 0};
}
ip_endpoint own_v6(std::uint16_t id) noexcept {
  const unsigned n = id + 1U;
  ip_endpoint::v6_bytes b{};
  b[0] = 0xfd;
  b[14] = static_cast<std::uint8_t>(n >> 8);
  b[15] = static_cast<std::uint8_t>(n);
  return {b, 0};
}

bool same_address(const ip_endpoint& a, const ip_endpoint& b) noexcept {
  return a.with_port(0) == b.with_port(0);
}

// Whether one packet could match both.
bool overlap(const binding& a, const binding& b) noexcept {
  if (a.at.port() != b.at.port()) return false;
  if (a.at.is_v6() != b.at.is_v6()) {
    const binding& six = a.at.is_v6() ? a : b;
    return six.dual_stack && is_any(six.at);
  }
  return is_any(a.at) || is_any(b.at) || same_address(a.at, b.at);
}

}  // namespace

bool is_any(const ip_endpoint& e) noexcept {
  return std::ranges::all_of(e.bytes(), [](std::uint8_t b) { return b == 0; });
}
bool is_loopback(const ip_endpoint& e) noexcept {
  return e.is_v6() ? same_address(e, ip_endpoint::loopback_v6()) : e.bytes()[0] == 127;
}
bool binding::takes(const ip_endpoint& to) const noexcept {
  if (at.port() != to.port()) return false;
  if (at.is_v6() != to.is_v6()) return dual_stack && is_any(at);
  return is_any(at) || same_address(at, to);
}

host::host(kernel& k, std::uint16_t number, std::string called)
    : net(k), id(number), name(std::move(called)), v4(own_v4(number)), v6(own_v6(number)) {}

// -- addresses and ports ----------------------------------------------------------

bool host::has_address(const ip_endpoint& e) const noexcept {
  return is_loopback(e) || same_address(e, v4) || same_address(e, v6);
}

bool host::is_taken(protocol p, const binding& b) const noexcept {
  return std::ranges::any_of(bound_[static_cast<unsigned>(p)], [&](const auto& weak) {
    const auto other = weak.lock();
    const bool both_share = other && ((other->share_port && b.share_port) ||
                                      (p == protocol::udp && other->reuse_address && b.reuse_address));
    return other && !both_share && overlap(*other, b);
  });
}

std::shared_ptr<binding> host::bind(protocol p, binding wanted, int& error) {
  error = 0;
  if (!is_any(wanted.at) && !has_address(wanted.at) && !(p == protocol::udp && wanted.at.is_multicast())) {
    error = EADDRNOTAVAIL;
    return nullptr;
  }
  auto& bound = bound_[static_cast<unsigned>(p)];
  std::erase_if(bound, [](const auto& weak) { return weak.expired(); });
  if (wanted.at.port() == 0) {
    constexpr unsigned range = last_ephemeral - first_ephemeral + 1;
    const auto start = static_cast<unsigned>(net.chance().below(range));
    unsigned i = 0;
    do {
      wanted.at = wanted.at.with_port(static_cast<std::uint16_t>(first_ephemeral + (start + i) % range));
    } while (is_taken(p, wanted) && ++i < range);
    if (i == range) error = EADDRINUSE;
  } else if (is_taken(p, wanted)) {
    error = EADDRINUSE;
  }
  if (error != 0) return nullptr;
  auto taken = std::make_shared<binding>(wanted);
  bound.push_back(taken);
  return taken;
}

ip_endpoint host::source_for(const ip_endpoint& to) const noexcept {
  if (is_loopback(to) || is_any(to)) return to.is_v6() ? ip_endpoint::loopback_v6() : ip_endpoint::loopback();
  return to.is_v6() ? v6 : v4;
}

// -- packets ----------------------------------------------------------------------

void host::remember(const flow_end& e, std::uint64_t expected) {
  const auto [at, fresh] = ended_.insert_or_assign(e, expected);
  if (!fresh) return;
  ended_order_.push_back(e);
  if (ended_order_.size() <= remembered) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void host::receive(packet p) {
  if (!p.of_stream()) {
    receive_datagram(std::move(p));
  } else if (const auto s = streams.find(p.dest); s != streams.end()) {
    const std::shared_ptr<tcp_endpoint> held = s->second;  // it may remove itself from the map
    held->receive(p);
  } else if (p.what == packet::kind::syn) {
    receive_syn(p);
  } else if (p.what != packet::kind::reset) {
    receive_unclaimed(p);
  }
}

void host::receive_syn(const packet& p) {
  std::vector<listening_socket*> candidates;
  for (listening_socket* const l : listeners) {
    if (l->where()->takes(p.to)) candidates.push_back(l);
  }
  if (candidates.empty()) return receive_unclaimed(p);
  candidates[net.chance().below(candidates.size())]->receive_syn(p);
}

// No socket here matches the packet: answers with a reset, or acknowledges a retransmission.
void host::receive_unclaimed(const packet& p) {
  packet answer;
  answer.from = p.to;
  answer.to = p.from;
  answer.dest = p.dest.other();
  answer.what = packet::kind::reset;
  if (const auto known = ended_.find(p.dest); known != ended_.end()) {
    // A retransmission for a stream that ended in order, or the end of the other half.
    const std::uint64_t behind = p.seq + p.bytes.size() + (p.fin ? 1 : 0);
    if (p.bytes.empty() && p.fin && p.seq == known->second) known->second = behind;
    if (behind <= known->second) {
      if (p.bytes.empty() && !p.fin && !p.probe) return;
      answer.what = packet::kind::segment;
      answer.ack = known->second;
    }
  }
  instant in_order = 0;
  net.send(*this, std::move(answer), in_order);
}

void host::receive_datagram(packet p) {
  if (p.what == packet::kind::unreachable) {
    for (datagram_port* const d : ports) {
      if (d->where()->takes(p.to)) d->unreachable(p.from);
    }
    return;
  }
  std::vector<datagram_port*> takers;
  for (datagram_port* const d : ports) {
    if (d->takes(p)) takers.push_back(d);
  }
  if (p.to.is_multicast()) {
    for (datagram_port* const d : takers) d->take(p);
  } else if (!takers.empty()) {
    // A connected socket is preferred to one that accepts datagrams from any peer.
    const auto connected =
        std::ranges::find_if(takers, [](const datagram_port* d) { return d->peer().has_value(); });
    datagram_port* const one =
        connected != takers.end() ? *connected : takers[net.chance().below(takers.size())];
    one->take(p);
  } else {
    packet answer;
    answer.what = packet::kind::unreachable;
    answer.from = p.to;
    answer.to = p.from;
    instant in_order = 0;
    net.send(*this, std::move(answer), in_order);
  }
}

void host::crash() noexcept {
  up = false;
  ++boots;
  ended_.clear();
  ended_order_.clear();
  for (const auto& [self, s] : std::exchange(streams, {})) s->vanish();
  for (listening_socket* const l : std::exchange(listeners, {})) l->vanish();
  for (datagram_port* const d : std::exchange(ports, {})) d->vanish();
  for (auto& bound : bound_) bound.clear();
}

}  // namespace troupe::detail::simnet
