// The two coroutines of a udp_endpoint: one receives, the other sends. On its strand.
#include "server/endpoint_meter.hpp"

#include <troupe/runtime/both.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/udp_endpoint.hpp>
#include <troupe/transport/udp_socket.hpp>

#include <algorithm>
#include <chrono>
#include <variant>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// The state that the two coroutines of an endpoint share, on its strand.
class udp_work {
 public:
  udp_work(context& ctx, const udp_endpoint_options& o)
      : options_(o), meter_(o.monitor.meter()), batch_(o.batch, o.max_datagram) {
    result<udp_socket> bound = udp_socket::bind(o.bind, o.socket);
    if (!bound)
      throw troupe_error(error(bound.error().code(), std::string(bound.error().text()), ctx.path()));
    socket_ = std::move(*bound);
    if (o.on_bound != nullptr) o.on_bound(socket_.local_endpoint().value());
  }

  task<void> receive() {
    for (;;) {
      const result<std::size_t> got = co_await socket_.receive_batch(batch_);
      if (got) {
        deliver();
      } else {
        // The error of a datagram sent earlier, or out of memory: the socket stays usable.
        meter_.failed();
        co_await sleep_for(1ms);
      }
    }
  }

  task<void> send(inbox<udp_datagram> in) {
    for (;;) {
      const auto m = co_await in.receive();
      const auto& d = std::get<udp_datagram>(m);
      count_sent(d, co_await socket_.send_to(d.bytes, d.peer));
    }
  }

 private:
  TROUPE_NOINLINE void deliver() {
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const std::span<const std::byte> bytes = std::as_const(batch_)[i];
      meter_.message_in();
      meter_.bytes_in(bytes.size());
      if (batch_.truncated(i) || !options_.consumer) {
        meter_.dropped();
        continue;
      }
      udp_datagram m{{bytes.begin(), bytes.end()}, batch_.peer(i)};
      if (options_.consumer.tell(std::move(m)) != send_result::ok) meter_.dropped();
    }
    // If several datagrams were waiting, some may have been lost. A buffer with room for only one never has
    // several, so it is checked every 64 datagrams.
    if (batch_.size() > 1 || ++alone_ % 64 == 0) count_kernel_drops();
  }
  void count_kernel_drops() {
    const result<std::uint32_t> drops = socket_.kernel_drops();
    if (drops)
      meter_.dropped(*drops - std::exchange(kernel_drops_, *drops));  // modulo 2^32, as the kernel counts
  }
  TROUPE_NOINLINE void count_sent(const udp_datagram& d, const result<void>& sent) {
    if (!sent) {
      meter_.dropped();
      return;
    }
    meter_.message_out();
    meter_.bytes_out(d.bytes.size());
  }

  const udp_endpoint_options& options_;
  detail::endpoint_meter& meter_;
  datagram_batch batch_;
  udp_socket socket_;
  std::uint32_t kernel_drops_ = 0;
  unsigned alone_ = 0;  // batches of one datagram
};

}  // namespace

task<void> udp_endpoint(context& ctx, inbox<udp_datagram> in, udp_endpoint_options options) {
  udp_work work(ctx, options);
  co_await either(work.receive(), work.send(in));
}

}  // namespace troupe
