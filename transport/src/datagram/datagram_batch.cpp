// datagram_batch: recvmmsg() and sendmmsg() over many datagrams, with segmentation offload for sending.
#include "address/sockaddr.hpp"
#include "datagram/batch_memory.hpp"
#include "socket/sys.hpp"

#include <troupe/transport/datagram_batch.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/udp.h>

namespace troupe {
namespace detail {

batch_memory::batch_memory(std::size_t most, std::size_t datagram_bytes)
    : capacity(std::clamp<std::size_t>(most, 1, 1024)),
      stride(std::clamp<std::size_t>(datagram_bytes, 1, 65535)),
      headers(std::make_unique<mmsghdr[]>(capacity)),
      pieces(std::make_unique<iovec[]>(capacity)),
      peers(std::make_unique<sockaddr_in6[]>(capacity)),
      bytes(std::make_unique_for_overwrite<std::byte[]>(capacity * stride)),
      joined(std::make_unique<mmsghdr[]>(capacity)),
      runs(std::make_unique<datagram_run[]>(capacity)) {
  for (std::size_t i = 0; i < capacity; ++i) {
    pieces[i] = {&bytes[i * stride], stride};
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  used = capacity;
  reset_for_receive();
}

void batch_memory_delete::operator()(batch_memory* m) const noexcept {
  delete m;
}

// What has not been used since is as it was.
void batch_memory::reset_for_receive() noexcept {
  for (std::size_t i = 0; i < used; ++i) {
    msghdr& h = headers[i].msg_hdr;
    h.msg_name = &peers[i];
    h.msg_namelen = sizeof peers[i];
    h.msg_flags = 0;
    pieces[i].iov_len = stride;
  }
  used = 0;
  size = 0;
}

void batch_memory::map_peers() noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    msghdr& h = headers[i].msg_hdr;
    if (h.msg_namelen == 0 || peers[i].sin6_family == AF_INET6) continue;
    sockaddr_in v4;
    std::memcpy(&v4, &peers[i], sizeof v4);
    peers[i] = mapped(v4);
    h.msg_namelen = sizeof peers[i];
  }
}

bool try_receive_batch(socket_state& s, batch_memory& b, std::error_code& why) noexcept {
  if (!s.worth_trying(direction::read)) return false;
  s.clear_ready(direction::read);
  for (;;) {
    const int n = sys::recvmmsg(s.fd(), b.headers.get(), static_cast<unsigned>(b.capacity), MSG_DONTWAIT);
    if (n > 0) {
      b.size = b.used = static_cast<std::size_t>(n);
      for (std::size_t i = 0; i < b.size; ++i) b.pieces[i].iov_len = b.headers[i].msg_len;
      // Fewer than there is room for: the kernel has no more, and the next one is an edge.
      if (b.size == b.capacity) s.mark_ready(direction::read);
      return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno != EINTR) {
      why = {errno, std::generic_category()};
      s.mark_ready(direction::read);
      return true;
    }
  }
}

std::size_t batch_memory::run_length(std::size_t i, std::size_t end) const noexcept {
  constexpr std::size_t most = 64;         // the kernel's UDP_MAX_SEGMENTS, before it was raised to 128
  constexpr std::size_t longest = 65'000;  // bytes of a message, less than 65,507
  const std::size_t each = pieces[i].iov_len;
  const msghdr& first = headers[i].msg_hdr;
  std::size_t total = each;
  std::size_t n = 1;
  for (std::size_t last = each; i + n < end && n < most && last == each; ++n) {
    const msghdr& h = headers[i + n].msg_hdr;
    last = pieces[i + n].iov_len;
    total += last;
    if (last == 0 || last > each || total > longest || h.msg_namelen != first.msg_namelen) break;
    if (h.msg_namelen != 0 && std::memcmp(h.msg_name, first.msg_name, h.msg_namelen) != 0) break;
  }
  return n;
}

std::size_t batch_memory::join(std::size_t next, std::size_t end) noexcept {
  std::size_t n = 0;
  for (; next < end; next += runs[n++].length) {
    datagram_run& run = runs[n];
    msghdr& h = joined[n].msg_hdr;
    run.length = run_length(next, end);
    h = headers[next].msg_hdr;
    h.msg_iovlen = run.length;
    if (run.length == 1) continue;
    h.msg_control = run.control;
    h.msg_controllen = sizeof run.control;
    cmsghdr& c = *CMSG_FIRSTHDR(&h);
    c.cmsg_level = IPPROTO_UDP;
    c.cmsg_type = UDP_SEGMENT;
    c.cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto each = static_cast<std::uint16_t>(pieces[next].iov_len);
    std::memcpy(CMSG_DATA(&c), &each, sizeof each);
  }
  return n;
}

bool try_send_batch(socket_state& s, batch_memory& b, std::size_t& next) noexcept {
  s.clear_ready(direction::write);
  std::size_t alone = sys::is_simulated(s.fd()) || !b.splits ? b.size : next;  // up to here each for itself
  while (next < b.size) {
    const bool joins = next >= alone;
    const std::size_t n = joins ? b.join(next, b.size) : alone - next;
    mmsghdr* const messages = joins ? b.joined.get() : &b.headers[next];
    const int sent = sys::sendmmsg(s.fd(), messages, static_cast<unsigned>(n), MSG_NOSIGNAL);
    if (sent > 0) {
      for (int i = 0; i < sent; ++i) next += joins ? b.runs[static_cast<std::size_t>(i)].length : 1;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return false;
    } else if (errno == EINTR) {
      continue;
    } else if (joins && b.runs[0].length > 1) {
      // Datagrams that were refused together are tried one by one, so that each has its own error. A device
      // that does not split, or a path too narrow for the size, is met once.
      alone = next + b.runs[0].length;
      if (errno == EINVAL || errno == EIO || errno == EMSGSIZE) b.splits = false;
      if (!b.splits) alone = b.size;
    } else {
      if (b.refused++ == 0) b.why_refused = {errno, std::generic_category()};
      ++next;
    }
  }
  s.mark_ready(direction::write);
  return true;
}

}  // namespace detail

datagram_batch::datagram_batch(std::size_t capacity, std::size_t datagram_bytes)
    : memory_(new detail::batch_memory(capacity, datagram_bytes)) {}

std::size_t datagram_batch::capacity() const noexcept {
  return memory_->capacity;
}
std::size_t datagram_batch::datagram_bytes() const noexcept {
  return memory_->stride;
}
std::size_t datagram_batch::size() const noexcept {
  return memory_->size;
}
void datagram_batch::clear() noexcept {
  memory_->size = 0;
}

std::span<std::byte> datagram_batch::operator[](std::size_t i) noexcept {
  return {&memory_->bytes[i * memory_->stride], memory_->pieces[i].iov_len};
}
std::span<const std::byte> datagram_batch::operator[](std::size_t i) const noexcept {
  return {&memory_->bytes[i * memory_->stride], memory_->pieces[i].iov_len};
}
bool datagram_batch::truncated(std::size_t i) const noexcept {
  return (memory_->headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

ip_endpoint datagram_batch::peer(std::size_t i) const noexcept {
  const msghdr& h = memory_->headers[i].msg_hdr;
  return h.msg_namelen == 0 ? ip_endpoint() : detail::endpoint_of(memory_->peers[i]);
}

void datagram_batch::set_peer(std::size_t i, const ip_endpoint& to) noexcept {
  detail::socket_address a(to);
  msghdr& h = memory_->headers[i].msg_hdr;
  std::memcpy(&memory_->peers[i], a.get(), a.length());
  h.msg_name = &memory_->peers[i];
  h.msg_namelen = a.length();
}

void datagram_batch::resize(std::size_t i, std::size_t bytes) noexcept {
  memory_->pieces[i].iov_len = std::min(bytes, memory_->stride);
}

bool datagram_batch::push(std::span<const std::byte> bytes) noexcept {
  detail::batch_memory& m = *memory_;
  if (m.size == m.capacity || bytes.size() > m.stride) return false;
  const std::size_t i = m.size++;
  m.used = std::max(m.used, m.size);
  if (!bytes.empty()) std::memcpy(&m.bytes[i * m.stride], bytes.data(), bytes.size());
  m.pieces[i].iov_len = bytes.size();
  msghdr& h = m.headers[i].msg_hdr;
  h.msg_name = nullptr;
  h.msg_namelen = 0;
  h.msg_flags = 0;
  return true;
}

bool datagram_batch::push(std::span<const std::byte> bytes, const ip_endpoint& to) noexcept {
  if (!push(bytes)) return false;
  set_peer(memory_->size - 1, to);
  return true;
}

std::size_t datagram_batch::refused() const noexcept {
  return memory_->refused;
}
std::error_code datagram_batch::why_refused() const noexcept {
  return memory_->why_refused;
}

}  // namespace troupe
