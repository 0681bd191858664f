// The case udp: N sockets with `depth` datagrams in flight on each. Sends and receives in batches, so that
// the server is the bottleneck. A datagram that is not echoed in time is counted as lost and replaced, so
// that the load stays the same.
#include "load.hpp"
#include "measurement.hpp"
#include "pattern.hpp"
#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace netload {

namespace {

constexpr std::size_t batch = 64;
constexpr std::uint64_t loss_timeout = 200'000'000;  // ns until a datagram counts as lost

// The start of a datagram; the pattern from `number` on follows.
struct header {
  std::uint64_t number;
  std::uint32_t socket;
  std::uint32_t slot;
};

struct slot {
  std::uint64_t number = 0;  // 0: none is in flight
  std::uint64_t sent_at = 0;
};

struct endpoint {
  socket_fd socket;
  std::vector<slot> slots;
};

class udp_load {
 public:
  explicit udp_load(const options& o)
      : options_(o),
        text_(o.size),
        out_(batch * o.size),
        in_(batch * (o.size + 1)),  // one byte more, to detect datagrams that are too long
        epoll_(make_epoll()) {
    if (o.size < sizeof(header))
      throw failed("a datagram has at least " + std::to_string(sizeof(header)) + " bytes");
    for (unsigned i = 0; i < o.connections; ++i) {
      endpoints_.push_back({connect_udp(o.port), std::vector<slot>(o.depth)});
      watch(epoll_, endpoints_.back().socket, i);
    }
    for (std::size_t i = 0; i < batch; ++i) {
      out_parts_[i] = {.iov_base = out_.data() + i * o.size, .iov_len = o.size};
      out_headers_[i].msg_hdr.msg_iov = &out_parts_[i];
      out_headers_[i].msg_hdr.msg_iovlen = 1;
      in_parts_[i] = {.iov_base = in_.data() + i * (o.size + 1), .iov_len = o.size + 1};
      in_headers_[i].msg_hdr.msg_iov = &in_parts_[i];
      in_headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  std::string run() {
    measurement m(options_);
    std::uint64_t swept = now_ns();
    for (std::uint32_t i = 0; i < endpoints_.size(); ++i) replace_lost(i, swept, m);
    std::array<epoll_event, 256> events;
    for (;;) {
      const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 50);
      for (int i = 0; i < n; ++i) {
        const epoll_event& e = events[static_cast<std::size_t>(i)];
        if ((e.events & EPOLLIN) != 0) receive(e.data.u32, m);
      }
      const std::uint64_t now = now_ns();
      if (now - swept > loss_timeout / 4) {
        swept = now;
        for (std::uint32_t i = 0; i < endpoints_.size(); ++i) replace_lost(i, now, m);
      }
      if (m.over(now)) return m.fields() + ",\"lost\":" + std::to_string(lost_);
    }
  }

 private:
  void receive(std::uint32_t index, measurement& m) {
    endpoint& p = endpoints_[index];
    for (;;) {
      const int got = ::recvmmsg(p.socket.get(), in_headers_.data(), batch, MSG_DONTWAIT, nullptr);
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) throw failed(std::string("recvmmsg: ") + std::strerror(errno));
      const std::uint64_t now = now_ns();
      for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) take(index, i, now, m);
      flush(p);
      if (static_cast<std::size_t>(got) < batch) return;
    }
  }

  void take(std::uint32_t index, std::size_t i, std::uint64_t now, measurement& m) {
    const char* const bytes = in_.data() + i * (options_.size + 1);
    header h{};
    std::memcpy(&h, bytes, sizeof h);
    if (in_headers_[i].msg_len != options_.size || h.socket != index || h.slot >= options_.depth ||
        !text_.matches(bytes + sizeof h, options_.size - sizeof h, h.number)) {
      throw failed("the server echoed another datagram");
    }
    slot& s = endpoints_[index].slots[h.slot];
    if (s.number != h.number) return;  // counted as lost already
    m.note(s.sent_at, now);
    add(index, h.slot, now);
  }

  // Adds the next datagram of a slot to the outgoing batch.
  void add(std::uint32_t index, std::uint32_t number_of_slot, std::uint64_t now) {
    const header h{.number = ++numbers_, .socket = index, .slot = number_of_slot};
    char* const bytes = out_.data() + waiting_ * options_.size;
    std::memcpy(bytes, &h, sizeof h);
    std::memcpy(bytes + sizeof h, text_.from(h.number), options_.size - sizeof h);
    endpoints_[index].slots[number_of_slot] = {h.number, now};
    ++waiting_;
  }

  // Datagrams that the kernel has no room for time out and count as lost.
  void flush(const endpoint& p) {
    if (waiting_ != 0)
      ::sendmmsg(p.socket.get(), out_headers_.data(), static_cast<unsigned>(waiting_), MSG_DONTWAIT);
    waiting_ = 0;
  }

  void replace_lost(std::uint32_t index, std::uint64_t now, const measurement& m) {
    endpoint& p = endpoints_[index];
    for (std::uint32_t i = 0; i < options_.depth; ++i) {
      const slot& s = p.slots[i];
      if (s.number != 0 && now - s.sent_at < loss_timeout) continue;
      if (s.number != 0 && m.measuring()) ++lost_;
      add(index, i, now);
      if (waiting_ == batch) flush(p);
    }
    flush(p);
  }

  const options& options_;
  pattern text_;
  std::vector<char> out_;
  std::vector<char> in_;
  std::array<iovec, batch> out_parts_{};
  std::array<iovec, batch> in_parts_{};
  std::array<mmsghdr, batch> out_headers_{};
  std::array<mmsghdr, batch> in_headers_{};
  std::size_t waiting_ = 0;  // in the outgoing batch
  std::uint64_t numbers_ = 0;
  std::uint64_t lost_ = 0;
  socket_fd epoll_;
  std::vector<endpoint> endpoints_;
};

}  // namespace

std::string run_udp(const options& o) {
  return udp_load(o).run();
}

}  // namespace netload
