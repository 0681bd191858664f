// Hosts, links and packets of the simulated network. On the simulation's thread.
#include "sim/kernel.hpp"

#include <string>

namespace troupe::detail::simnet {

kernel::kernel(const instant& now, std::uint64_t seed) : now_(&now), dice_(seed) {
  hosts_.push_back(std::make_unique<host>(*this, std::uint16_t{0}, "localhost"));
}

std::shared_ptr<kernel> kernel::of(engine& e) {
  simulation& s = e.sim();
  if (!s.surroundings) s.surroundings = std::make_shared<kernel>(s.now, s.seed);
  return std::static_pointer_cast<kernel>(s.surroundings);
}

// -- time -----------------------------------------------------------------------

void kernel::run_due(std::int64_t now) noexcept {
  while (event_queue::action due = agenda_.take_due(now)) due();
}

void kernel::end() noexcept {
  last_now_ = *now_;
  now_ = &last_now_;
  ended_ = true;
  agenda_.clear();
}

event_queue::entry kernel::plan(instant when, event_queue::action what) {
  return ended_ ? event_queue::entry{} : agenda_.plan(when, std::move(what));
}

// -- hosts ------------------------------------------------------------------------

host& kernel::host_named(std::string_view name) {
  for (const auto& h : hosts_) {
    if (h->name == name) return *h;
  }
  const auto id = static_cast<std::uint16_t>(hosts_.size());
  return *hosts_.emplace_back(std::make_unique<host>(*this, id, std::string(name)));
}

host* kernel::find(const ip_endpoint& e, host& from) noexcept {
  if (is_any(e) || is_loopback(e) || from.has_address(e)) return &from;
  for (const auto& h : hosts_) {
    if (h->has_address(e)) return h.get();
  }
  return nullptr;
}

link& kernel::between(const host& from, const host& to) {
  const auto [at, fresh] = links_.try_emplace({from.id, to.id});
  if (fresh) at->second.options = from.id == to.id ? options.loopback : options.link;
  return at->second;
}

void kernel::set_default_links() {
  for (auto& [ends, l] : links_) {
    if (!l.own_options) l.options = ends.first == ends.second ? options.loopback : options.link;
  }
}

void kernel::set_link(const host& from, const host& to, const sim::link_options& o) {
  auto& l = static_cast<link_state&>(between(from, to));
  l.options = o;
  l.own_options = true;
}

void kernel::reset_connections(const host& a, const host& b) {
  for (const auto* side : {&a, &b}) {
    const host& other = side == &a ? b : a;
    std::vector<std::shared_ptr<tcp_endpoint>> hit;
    for (const auto& [self, s] : side->streams) {
      if (other.has_address(s->remote())) hit.push_back(s);
    }
    for (const auto& s : hit) s->abort();
    if (&a == &b) break;
  }
}

// -- packets ------------------------------------------------------------------------

void kernel::note_packet(std::uint64_t what, const packet& p) noexcept {
  note(what | static_cast<std::uint64_t>(p.what) << 8 | std::uint64_t{p.to.port()} << 16 |
       std::uint64_t{p.from.port()} << 32);
  note(static_cast<std::uint64_t>(now()));
  note(p.seq);
  note(p.ack);
  note(p.bytes.size());
}

instant kernel::send(host& from, packet p, instant& in_order) {
  host* const to = find(p.to, from);
  if (to == nullptr || !from.up) return now();
  link& l = between(from, *to);
  in_order = std::max(in_order, l.arrival(now(), p.size(), dice_));
  const instant arrives = in_order;
  const bool established = p.what == packet::kind::segment;
  if (established && dice_.chance(l.options.reset)) {
    packet back;
    back.what = p.what = packet::kind::reset;
    back.from = p.to;
    back.to = p.from;
    back.dest = p.dest.other();
    carry(*to, from, std::move(back), arrives);
    p.bytes.clear();
  }
  carry(from, *to, std::move(p), arrives);
  return arrives;
}

void kernel::send_datagram(host& from, packet p) {
  host* const to = find(p.to, from);
  if (to == nullptr || !from.up) return;
  link& l = between(from, *to);
  const auto once = [&](packet copy) {
    instant arrives = l.arrival(now(), copy.size(), dice_);
    if (dice_.chance(l.options.reorder)) {
      // Held back for up to ten times the longest delay, so that later packets overtake it.
      arrives += static_cast<instant>(dice_.below(static_cast<std::uint64_t>(10 * l.longest()) + 1'000'000));
    } else {
      arrives = l.in_order = std::max(arrives, l.in_order);
    }
    carry(from, *to, std::move(copy), arrives);
  };
  if (dice_.chance(l.options.duplicate)) once(p);
  once(std::move(p));
}

void kernel::send_to_group(host& from, const packet& p, bool loop_back) {
  for (const auto& h : hosts_) {
    if (h.get() == &from && !loop_back) continue;
    carry(from, *h, p, between(from, *h).arrival(now(), p.size(), dice_));
  }
}

void kernel::carry(host& from, host& to, packet p, instant arrives) {
  link& l = between(from, to);
  if (l.cut || dice_.chance(l.options.loss)) {
    ++dropped_;
    note_packet(1, p);
    return;
  }
  note_packet(2, p);
  plan(arrives, [this, &from, &to, p = std::move(p)]() mutable { deliver(from, to, std::move(p)); });
}

void kernel::deliver(host& from, host& to, packet p) {
  if (between(from, to).cut || !to.up) {
    ++dropped_;
    note_packet(3, p);
    return;
  }
  ++delivered_;
  note_packet(4, p);
  to.receive(std::move(p));
}

}  // namespace troupe::detail::simnet
