// The two coroutines of a tcp_client: one keeps the connection and reads, the other writes. On its strand.
#include "server/async_event.hpp"
#include "server/endpoint_meter.hpp"
#include "socket/socket_access.hpp"

#include <troupe/runtime/both.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/worker.hpp>
#include <troupe/transport/detail/fill.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/tcp_client.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include <algorithm>
#include <variant>

namespace troupe {

namespace {

using detail::endpoint_meter;

/// The state that the two coroutines of a client share, on its strand: keep() connects and reads, write()
/// sends.
class link {
 public:
  link(context& ctx, const tcp_client_options& o) noexcept
      : ctx_(ctx), options_(o), meter_(o.monitor.meter()) {}
  link(const link&) = delete;
  link& operator=(const link&) = delete;
  ~link() { count_end(close_reason::drain); }

  task<void> keep();
  task<void> write(inbox<tcp_send> in);

 private:
  [[nodiscard]] task<result<tcp_stream>> connect() const;
  task<error> read();
  task<void> close_gracefully();
  [[nodiscard]] TROUPE_NOINLINE duration pause_after(std::int64_t lasted) noexcept;
  TROUPE_NOINLINE void came_up(tcp_stream s);
  TROUPE_NOINLINE void went_down(error why);
  TROUPE_NOINLINE void report_down(const error& why) const;
  [[noreturn]] TROUPE_NOINLINE void consumer_gone(const error& why);
  /// Counts the end of a connection, once.
  void count_end(close_reason why) noexcept {
    if (std::exchange(counted_, false)) meter_.closed(why);
  }

  context& ctx_;
  const tcp_client_options& options_;
  endpoint_meter& meter_;
  tcp_stream stream_;
  detail::async_event up_;
  std::uint64_t connections_ = 0;
  std::uint32_t failures_ = 0;  // in a row
  bool counted_ = false;        // there is a connection, and meter_ counts it as active
  bool leaving_ = false;        // all is sent, and our half of the stream has ended
};

void link::came_up(tcp_stream s) {
  stream_ = std::move(s);
  detail::socket_access::of(stream_)->count_in(meter_);
  meter_.accepted();
  counted_ = true;
  if (++connections_ > 1) meter_.reconnected();
  if (options_.observer)
    (void)options_.observer.tell(tcp_up{stream_.remote_endpoint().value_or(options_.connect), connections_});
  up_.set();
}

void link::went_down(error why) {
  using ending = detail::socket_state::ending;
  up_.reset();
  if (leaving_) {
    stream_.close();
    count_end(close_reason::drain);
    return;
  }
  const ending how = stream_.is_open() ? detail::socket_access::of(stream_)->ended_by : ending::failed;
  stream_.close();
  count_end(how == ending::peer   ? close_reason::peer
            : how == ending::idle ? close_reason::idle
                                  : close_reason::error);
  report_down(why);
}

void link::report_down(const error& why) const {
  if (options_.observer) (void)options_.observer.tell(tcp_down{options_.connect, why});
}

void link::consumer_gone(const error& why) {
  count_end(close_reason::crash);
  throw troupe_error(error(
      make_error_code(errc::closed),
      "the consumer of received bytes has ended: put both under one supervisor that ends them together, "
      "or give the client a consumer that lives longer",
      ctx_.path(), why));
}

duration link::pause_after(std::int64_t lasted) noexcept {
  const troupe::backoff& b = options_.reconnect;
  if (lasted >= (b.initial.count() + b.max.count()) / 2) failures_ = 0;
  return std::max(detail::backoff_delay(b, failures_++, detail::worker_here()->random()), duration(1));
}

task<result<tcp_stream>> link::connect() const {
  const tcp_client_options& o = options_;
  if (o.host.empty()) return tcp_stream::connect(o.connect, o.connect_deadline, o.connection);
  return tcp_stream::connect(o.host, o.connect.port(), o.connect_deadline,
                             {.stream = o.connection, .resolver = o.resolver});
}

task<void> link::keep() {
  while (!leaving_) {
    std::int64_t lasted = 0;
    result<tcp_stream> s = co_await connect();
    if (s) {
      const time_point since = ctx_.now();
      came_up(std::move(*s));
      went_down(co_await read());
      lasted = (ctx_.now() - since).count();
    } else {
      meter_.failed();
      report_down(s.error());
    }
    if (!leaving_) co_await sleep_for(pause_after(lasted));
  }
}

// Reads until the connection ends; returns the reason.
task<error> link::read() {
  read_buffer buffer(std::max<std::size_t>(options_.chunk, 1));
  for (;;) {
    // Backpressure: the next read happens only after the consumer has taken the last bytes.
    if (result<void> readable = co_await stream_.wait_readable(); !readable)
      co_return std::move(readable.error());
    const result<std::optional<std::size_t>> got = detail::try_fill(stream_, buffer);
    if (!got) co_return got.error();
    if (!*got) continue;
    if (**got == 0) co_return error(make_error_code(errc::closed), "the peer has ended the connection");
    tcp_received m{{buffer.data().begin(), buffer.data().end()}};
    buffer.clear();
    meter_.message_in();
    if (!options_.consumer) continue;
    if (const result<void> sent = co_await options_.consumer.send(std::move(m), forever); !sent) {
      consumer_gone(sent.error());
    }
  }
}

task<void> link::write(inbox<tcp_send> in) {
  while (const auto m = co_await in.next()) {
    while (!up_.is_set()) co_await up_.wait();
    if (co_await stream_.write_all(std::get<tcp_send>(*m).bytes)) {
      meter_.message_out();
      continue;
    }
    meter_.dropped();
    // No further write on this connection. The close also ends the reader's wait.
    up_.reset();
    stream_.close();
  }
  co_await close_gracefully();
}

// A close with unread bytes would be a reset, which can overtake the last bytes sent. So keep() goes on
// reading, and ends both coroutines when the peer has ended its half.
task<void> link::close_gracefully() {
  if (!up_.is_set()) co_return;
  leaving_ = true;
  if (stream_.shutdown_write()) co_await sleep_for(options_.close_deadline);
}

}  // namespace

task<void> tcp_client(context& ctx, inbox<tcp_send> in, tcp_client_options options) {
  link l(ctx, options);
  co_await either(l.keep(), l.write(in));
}

}  // namespace troupe
