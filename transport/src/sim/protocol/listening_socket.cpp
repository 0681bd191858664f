// Accepting connections on the simulated network. On the simulation's thread.
#include "sim/protocol/listening_socket.hpp"

#include "sim/kernel.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::detail::simnet {

listening_socket::listening_socket(host& home, std::shared_ptr<binding> where, std::size_t send_buffer,
                                   std::size_t receive_buffer)
    : home_(home), where_(std::move(where)), send_buffer_(send_buffer), receive_buffer_(receive_buffer) {
  home_.listeners.push_back(this);
}

listening_socket::~listening_socket() {
  std::erase(home_.listeners, this);
}

std::uint32_t listening_socket::present() const noexcept {
  if (failed_ != 0) return EPOLLIN | EPOLLERR | EPOLLHUP;
  return waiting_.empty() ? 0U : EPOLLIN;
}

std::shared_ptr<tcp_endpoint> listening_socket::accept(int& error) {
  error = failed_ != 0 ? failed_ : waiting_.empty() ? EAGAIN : 0;
  if (error != 0) return nullptr;
  std::shared_ptr<tcp_endpoint> s = std::move(waiting_.front());
  waiting_.pop_front();
  return s;
}

void listening_socket::close() noexcept {
  watch(nullptr);
  std::erase(home_.listeners, this);
  for (const auto& s : std::exchange(waiting_, {})) s->abort();
}

void listening_socket::vanish() noexcept {
  failed_ = host_is_down;
  waiting_.clear();
  edge();
}

void listening_socket::receive_syn(const packet& syn) {
  if (waiting_.size() + embryonic_ > backlog_) return;
  ++embryonic_;
  const auto s = std::make_shared<tcp_endpoint>(
      home_, tcp_endpoint::identity{.self = syn.dest, .local = syn.to, .remote = syn.from, .port = where_},
      send_buffer_, receive_buffer_);
  home_.streams.emplace(syn.dest, s);
  s->answer(syn, shared_from_this());
}

void listening_socket::complete(std::shared_ptr<tcp_endpoint> s) {
  --embryonic_;
  waiting_.push_back(std::move(s));
  edge();
}

}  // namespace troupe::detail::simnet
