// The state machine of a simulated TCP connection. On the simulation's thread.
#include "sim/protocol/tcp_endpoint.hpp"

#include "sim/kernel.hpp"
#include "sim/protocol/listening_socket.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::detail::simnet {

namespace {

constexpr unsigned connect_tries = 6;  // retransmissions of a SYN, as on Linux
constexpr unsigned answer_tries = 5;   // of a SYN-ACK
constexpr unsigned orphan_tries = 8;   // of the last bytes of a closed socket
constexpr instant second = 1'000'000'000;
constexpr instant handshake_pause = second;
constexpr instant longest_pause = 120 * second;

}  // namespace

tcp_endpoint::tcp_endpoint(host& home, identity who, std::size_t send_buffer, std::size_t receive_buffer)
    : home_(home), who_(std::move(who)), send_buffer_(send_buffer), receive_buffer_(receive_buffer) {}

// -- beginnings -------------------------------------------------------------------

void tcp_endpoint::connect() {
  phase_ = phase::connecting;
  emit(blank(packet::kind::syn));
  set_timer(true);
}

void tcp_endpoint::answer(const packet& syn, const std::shared_ptr<listening_socket>& at) {
  phase_ = phase::embryonic;
  at_ = at;
  limit_ = syn.window;
  emit(blank(packet::kind::syn_ack));
  set_timer(true);
}

void tcp_endpoint::open() {
  phase_ = phase::open;
  set_timer(true);
}

// -- the application's side -------------------------------------------------------

std::uint32_t tcp_endpoint::present() const noexcept {
  std::uint32_t events = 0;
  if (!in_.empty()) events |= EPOLLIN;
  if (peer_ended_ || read_shut_) events |= EPOLLIN | EPOLLRDHUP;
  if (phase_ == phase::over) events |= EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP;
  if (error_ != 0) events |= EPOLLERR;
  if (phase_ == phase::open && (room() != 0 || fin_wanted_)) events |= EPOLLOUT;
  return events;
}

int tcp_endpoint::take_error() noexcept {
  if (gone_) return host_is_down;
  return std::exchange(error_, 0);
}

transfer tcp_endpoint::read(std::span<std::byte> into, bool peek) {
  if (gone_) return {.error = host_is_down};
  if (!in_.empty()) {
    std::size_t n = std::min(into.size(), in_.size());
    if (n == 0) return {};
    if (peek) {
      const auto bytes = in_.copy(0, n);
      std::ranges::copy(bytes, into.begin());
      return {.n = n};
    }
    const bool part = n > 1 && home_.net.chance().chance(home_.net.options.split);
    if (part) n = 1 + static_cast<std::size_t>(home_.net.chance().below(n - 1));
    in_.take(into.first(n));
    home_.net.note(n);
    // The peer must learn that a window that was nearly closed is open again.
    const std::uint64_t opened = expected_ + window() - offered_;
    if (phase_ == phase::open && !peer_ended_ &&
        opened >= std::min<std::uint64_t>(receive_buffer_ / 2, 2 * home_.net.options.segment)) {
      acknowledge();
    }
    // To the reader the rest appears to have arrived only now.
    if (part) edge();
    return {.n = n};
  }
  if (peer_ended_ || read_shut_) return {};
  if (error_ != 0) return {.error = take_error()};
  if (phase_ == phase::over) return {};
  return {.error = EAGAIN};
}

transfer tcp_endpoint::write(std::span<const std::byte> bytes) {
  if (gone_) return {.error = host_is_down};
  if (error_ != 0) return {.error = take_error()};
  if (phase_ == phase::over || fin_wanted_) return {.error = EPIPE};
  std::size_t n = std::min(bytes.size(), room());
  if (phase_ != phase::open) n = 0;
  if (n < bytes.size()) would_block_ = true;
  if (n == 0) return {.error = EAGAIN};
  const bool part = n > 1 && home_.net.chance().chance(home_.net.options.split);
  if (part) n = 1 + static_cast<std::size_t>(home_.net.chance().below(n - 1));
  out_.append(bytes.first(n));
  home_.net.note(n);
  send_more();
  set_timer(false);
  if (part) edge();
  return {.n = n};
}

int tcp_endpoint::shut_down(bool reading, bool writing) {
  if (phase_ != phase::open) return ENOTCONN;
  if (reading) read_shut_ = true;
  if (writing && !fin_wanted_) {
    fin_wanted_ = true;
    send_more();
    set_timer(false);
  }
  edge();
  return 0;
}

void tcp_endpoint::set_keep_alive(const keep_alive& k) {
  keep_alive_ = k;
  if (phase_ == phase::open && !awaits_answer()) set_timer(true);
}

void tcp_endpoint::close() {
  watch(nullptr);
  if (phase_ == phase::over) return;
  if (phase_ == phase::connecting) return leave();
  if (abortive_ || !in_.empty()) return abort();
  orphan_ = true;
  fin_wanted_ = true;
  send_more();
  set_timer(false);
  leave_in_order();
}

// -- the network's side: sending --------------------------------------------------

packet tcp_endpoint::blank(packet::kind what) const {
  packet p;
  p.what = what;
  p.from = who_.local;
  p.to = who_.remote;
  p.dest = who_.self.other();
  return p;
}

void tcp_endpoint::emit(packet p) {
  p.ack = expected_;
  p.window = window();
  offered_ = p.ack + p.window;
  kernel& net = home_.net;
  host* const peer = net.find(who_.remote, home_);
  const instant arrives = net.send(home_, std::move(p), last_arrival_);
  answer_by_ = arrives + (peer != nullptr ? net.between(*peer, home_).longest() : 0);
}

void tcp_endpoint::acknowledge() {
  packet p = blank(packet::kind::segment);
  p.seq = next_;
  emit(std::move(p));
}

void tcp_endpoint::send_more(std::size_t most) {
  if (phase_ != phase::open) return;
  const std::uint64_t end = end_of_out();
  for (; most > 0; --most) {
    const std::uint64_t until = std::min(end, limit_);
    const bool only_fin = fin_wanted_ && next_ == end;
    if (next_ >= until && !only_fin) return;
    packet p = blank(packet::kind::segment);
    p.seq = next_;
    if (!only_fin) {
      const auto n = std::min<std::uint64_t>(until - next_, home_.net.options.segment);
      p.bytes = out_.copy(static_cast<std::size_t>(next_ - first_), static_cast<std::size_t>(n));
      next_ += n;
    }
    if (fin_wanted_ && next_ == end) {
      p.fin = true;
      ++next_;
    }
    emit(std::move(p));
  }
}

// Sets the timer for what is awaited now. Unless `restart`, a timer that runs for the same reason is kept.
void tcp_endpoint::set_timer(bool restart) {
  kernel& net = home_.net;
  const bool awaits = awaits_answer();
  if (!awaits && !(keep_alive_.on && phase_ == phase::open && !orphan_)) return net.cancel(timer_);
  const bool runs = timer_ != event_queue::entry{} && timer_awaits_ == awaits;
  if (runs && !restart) return;
  net.cancel(timer_);
  if (awaits && !timer_awaits_ && tries_ == 0) heard_ = net.now();
  timer_awaits_ = awaits;
  instant when = 0;
  if (awaits) {
    const instant first = phase_ == phase::open ? net.options.retransmit.count() : handshake_pause;
    when = std::max(answer_by_, net.now()) + std::min(first << std::min(tries_, 10U), longest_pause);
  } else if (tries_ == 0) {
    when = std::max(heard_ + keep_alive_.idle_s * second, net.now());
  } else {
    when = net.now() + keep_alive_.interval_s * second;
  }
  timer_ = net.plan(when, [this] { on_timer(); });
}

void tcp_endpoint::probe() {
  packet p = blank(packet::kind::segment);
  p.seq = next_;
  p.probe = true;
  emit(std::move(p));
}

void tcp_endpoint::on_timer() {
  const auto self = shared_from_this();
  timer_ = {};
  const bool unanswered = home_.net.now() - heard_ >= home_.net.options.give_up.count();
  ++tries_;
  switch (phase_) {
    case phase::connecting:
      if (tries_ > connect_tries || unanswered) return fail(ETIMEDOUT);
      emit(blank(packet::kind::syn));
      break;
    case phase::embryonic:
      if (tries_ > answer_tries) return leave();
      emit(blank(packet::kind::syn_ack));
      break;
    case phase::open:
      if (!awaits_answer()) {
        if (tries_ > keep_alive_.count) return fail(ETIMEDOUT);
        if (tries_ == 1 && home_.net.now() < heard_ + keep_alive_.idle_s * second) {
          tries_ = 0;  // a packet has arrived since the timer was set
        } else {
          probe();
        }
        break;
      }
      if (orphan_ && (unanswered || tries_ > orphan_tries)) return abort();
      if (unanswered) return fail(ETIMEDOUT);
      if (in_flight()) {
        next_ = first_;
        send_more(1);
      }
      if (!in_flight()) probe();  // zero-window probe
      break;
    case phase::over:
      return;
  }
  set_timer(true);
}

// -- the network's side: receiving --------------------------------------------------

void tcp_endpoint::receive(const packet& p) {
  switch (p.what) {
    case packet::kind::reset:
      if (orphan_ || phase_ == phase::embryonic) return leave();
      return fail(phase_ == phase::connecting ? ECONNREFUSED : peer_ended_ ? EPIPE : ECONNRESET);
    case packet::kind::syn:  // retransmitted: our answer was lost
      if (phase_ == phase::embryonic) emit(blank(packet::kind::syn_ack));
      return;
    case packet::kind::syn_ack:
      if (phase_ == phase::connecting) {
        tries_ = 0;
        limit_ = p.ack + p.window;
        open();
        edge();
      }
      return acknowledge();
    default:
      break;
  }
  if (phase_ == phase::connecting) return;  // arrived before the SYN-ACK; it will be retransmitted
  if (phase_ == phase::embryonic) {
    const auto at = std::exchange(at_, {}).lock();
    if (!at) return abort();
    tries_ = 0;
    open();
    at->complete(shared_from_this());
  }
  heard_ = home_.net.now();
  tries_ = 0;
  take_acknowledgement(p);
  take_bytes(p);
  if (phase_ == phase::over) return;
  if (!p.bytes.empty() || p.fin || p.probe) acknowledge();
  send_more();
  set_timer(false);
  leave_in_order();
}

void tcp_endpoint::take_acknowledgement(const packet& p) {
  const std::uint64_t end = end_of_out();
  limit_ = std::max(limit_, p.ack + p.window);
  if (p.ack <= first_ + (fin_acknowledged_ ? 1 : 0)) return;
  const std::uint64_t upto = std::min(p.ack, end);
  out_.drop(static_cast<std::size_t>(upto - first_));
  first_ = upto;
  if (fin_wanted_ && p.ack == end + 1) fin_acknowledged_ = true;
  next_ = std::max(next_, p.ack);
  home_.net.cancel(timer_);
  if (would_block_ && room() >= send_buffer_ / 3) {
    would_block_ = false;
    edge();
  }
}

void tcp_endpoint::take_bytes(const packet& p) {
  const std::uint64_t behind = p.seq + p.bytes.size();
  if (p.seq > expected_) return;  // an earlier packet was lost
  if (behind > expected_) {
    if (orphan_) return abort();  // closed: no reader is left
    const auto fresh = std::span(p.bytes).subspan(static_cast<std::size_t>(expected_ - p.seq));
    expected_ = behind;
    if (!read_shut_) in_.append(fresh);
    edge();
  }
  if (p.fin && behind == expected_ && !peer_ended_) {
    peer_ended_ = true;
    ++expected_;
    edge();
  }
}

// -- ends ---------------------------------------------------------------------------

void tcp_endpoint::abort() {
  const auto self = shared_from_this();
  if (phase_ == phase::over) return;
  emit(blank(packet::kind::reset));
  if (orphan_ || phase_ == phase::embryonic) return leave();
  fail(ECONNRESET);
}

void tcp_endpoint::fail(int error) noexcept {
  const auto self = shared_from_this();
  error_ = error;
  leave();
  edge();
}

void tcp_endpoint::vanish() noexcept {
  gone_ = true;
  fail(host_is_down);
}

void tcp_endpoint::leave() noexcept {
  const auto self = shared_from_this();
  if (phase_ == phase::embryonic) {
    if (const auto at = at_.lock()) at->lost_one();
  }
  phase_ = phase::over;
  home_.net.cancel(timer_);
  out_.clear();
  who_.port.reset();
  home_.streams.erase(who_.self);
}

void tcp_endpoint::leave_in_order() {
  if (phase_ != phase::open || !orphan_ || !fin_acknowledged_) return;
  home_.remember(who_.self, expected_);
  leave();
}

}  // namespace troupe::detail::simnet
