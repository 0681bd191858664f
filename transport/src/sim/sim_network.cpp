// The public handles on the simulated network. On the thread of the runtime.
#include "sim/descriptor.hpp"
#include "sim/kernel.hpp"

#include <troupe/transport/sim_network.hpp>

namespace troupe::sim {

using troupe::detail::simnet::kernel;

namespace {

// -- validation of options: with bad ones a simulation would hang, or mean nothing ---------------

void require(bool holds, std::string_view option, std::string_view rule) {
  if (holds) return;
  throw troupe_error(error(make_error_code(errc::invalid_argument),
                           "sim::network: " + std::string(option) + " must be " + std::string(rule)));
}

void require_chance(double p, std::string_view option) {
  require(p >= 0 && p <= 1, option, "from 0 to 1");  // also refuses NaN
}

const link_options& checked(const link_options& o, const std::string& link = {}) {
  require(o.latency >= duration::zero(), link + "latency", "0 or more");
  require(o.jitter >= duration::zero(), link + "jitter", "0 or more");
  require_chance(o.loss, link + "loss");
  require_chance(o.duplicate, link + "duplicate");
  require_chance(o.reorder, link + "reorder");
  require_chance(o.reset, link + "reset");
  return o;
}

const network_options& checked(const network_options& o) {
  checked(o.link, "link.");
  checked(o.loopback, "loopback.");
  require_chance(o.split, "split");
  require(o.segment > 0, "segment", "1 or more: a packet carries at least one byte");
  require(o.receive_buffer > 0, "receive_buffer", "1 or more");
  require(o.send_buffer > 0, "send_buffer", "1 or more");
  require(o.give_up > duration::zero(), "give_up", "longer than 0");
  require(o.retransmit > duration::zero(), "retransmit", "longer than 0");
  return o;
}

}  // namespace

// -- the network --------------------------------------------------------------------

network::network(sim::runtime& on) : runtime_(&on), kernel_(kernel::of(on.engine())) {}

network::network(sim::runtime& on, const network_options& options) : network(on) {
  kernel_->options = checked(options);
  kernel_->set_default_links();
}

void network::set_link(const host& a, const host& b, const link_options& o) {
  set_link_one_way(a, b, o);
  set_link_one_way(b, a, o);
}
void network::set_link_one_way(const host& from, const host& to, const link_options& o) {
  kernel_->set_link(*from.host_, *to.host_, checked(o));
}

void network::partition(const host& a, const host& b) {
  partition_one_way(a, b);
  partition_one_way(b, a);
}
void network::partition_one_way(const host& from, const host& to) {
  kernel_->between(*from.host_, *to.host_).cut = true;
}
void network::heal(const host& a, const host& b) {
  kernel_->between(*a.host_, *b.host_).cut = false;
  kernel_->between(*b.host_, *a.host_).cut = false;
}
void network::reset_connections(const host& a, const host& b) {
  kernel_->reset_connections(*a.host_, *b.host_);
}

std::uint64_t network::trace() const noexcept {
  return kernel_->trace();
}
std::uint64_t network::delivered() const noexcept {
  return kernel_->delivered();
}
std::uint64_t network::dropped() const noexcept {
  return kernel_->dropped();
}
std::size_t network::open_sockets() const noexcept {
  std::size_t n = 0;
  for (const auto& h : kernel_->hosts()) n += h->open_sockets;
  return n;
}

// -- a host -------------------------------------------------------------------------

host::host(const network& net, std::string_view name)
    : troupe::runtime(*net.runtime_, net.kernel_->host_named(name).id),
      kernel_(net.kernel_),
      host_(&kernel_->host_at(place())) {}

const std::string& host::name() const noexcept {
  return host_->name;
}
ip_endpoint host::endpoint(std::uint16_t port) const noexcept {
  return host_->v4.with_port(port);
}
ip_endpoint host::endpoint_v6(std::uint16_t port) const noexcept {
  return host_->v6.with_port(port);
}

void host::crash() {
  host_->crash();
  stop_all();
}
void host::restart() {
  host_->up = true;
}
bool host::is_up() const noexcept {
  return host_->up;
}
void host::limit_sockets(std::size_t max) noexcept {
  host_->max_sockets = max;
}

host::visit::visit(const host& at) noexcept {
  auto& here = troupe::detail::simnet::standpoint_of_thread();
  engine_ = here.home;
  place_ = here.place;
  here = {&at.engine(), at.place()};
}
host::visit::~visit() {
  troupe::detail::simnet::standpoint_of_thread() = {engine_, place_};
}

}  // namespace troupe::sim
