// The loop of a connection with an on_data(): waits, reads, and calls the consumer. On its actor's strand.
#include "server/acceptor.hpp"
#include "socket/operation.hpp"
#include "socket/readiness.hpp"
#include "socket/socket_access.hpp"

#include <troupe/runtime/engine.hpp>
#include <troupe/transport/detail/connection.hpp>
#include <troupe/transport/detail/fill.hpp>
#include <troupe/transport/read_buffer.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {

// The peer's data was refused. At level debug: an untrusted peer could flood the log.
TROUPE_NOINLINE bool note_refusal(const cell& c, const error& why) {
  c.home().log(log_level::debug, c.path() + ": " + why.to_string());
  return false;
}

// Reads the available bytes; false if the stream has ended or failed, or the message is too long.
template <class Stream>
TROUPE_NOINLINE bool read_into(const cell& c, read_buffer& buffer, Stream& peer) {
  const result<std::optional<std::size_t>> got = try_fill(peer, buffer);
  if (!got && got.error() == std::make_error_code(std::errc::message_size))
    return note_refusal(c, got.error());
  return got && (!*got || **got != 0);
}

// Drops the bytes that a consumer has taken; false if it has failed.
TROUPE_NOINLINE bool consumed(const cell& c, read_buffer& buffer, const result<std::size_t>& taken) {
  if (!taken) return note_refusal(c, taken.error());
  buffer.consume(*taken);
  return true;
}

/// Awaited by a coroutine to get its own promise; never suspends.
class own_promise {
 public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    promise_ = &h.promise();
    return false;
  }
  [[nodiscard]] promise_base& await_resume() const noexcept { return *promise_; }

 private:
  promise_base* promise_ = nullptr;
};

// The deadline of the wait for more bytes. `message_due`: set while a message is incomplete.
TROUPE_NOINLINE std::int64_t wait_until(const acceptor& core, bool in_message, std::int64_t& message_due) {
  const std::int64_t idle = deadline_in(core.options.connection.read_deadline);
  if (!in_message) {
    message_due = no_deadline;
    return idle;
  }
  if (message_due == no_deadline) message_due = deadline_in(core.options.message_deadline);
  return std::min(idle, message_due);
}

// The time from now until `due`.
TROUPE_NOINLINE duration time_until(const cell& c, std::int64_t due) noexcept {
  return due == no_deadline ? forever : std::max(duration(due - c.home().now()), duration(1));
}

template <class Stream>
task<void> consume_from(data_handler<Stream> on_data, void* object, cell& c, Stream peer, acceptor* core) {
  promise_base& me = co_await own_promise();
  read_buffer buffer(core->options.max_message);
  std::int64_t message_due = no_deadline;
  for (;;) {
    // A stop ends the connection between two messages; a message that has begun may be completed.
    me.yields_to_stop = buffer.empty();
    if (me.yields_to_stop && c.stop_asked()) co_return;
    if constexpr (std::same_as<Stream, tcp_stream>) {
      // On the socket itself, so that an idle connection holds one coroutine frame.
      socket_state* const s = socket_access::of(peer).get();
      const operation mine(s, direction::read);
      if (!mine || !s->is_open()) co_return;
      // Named, and not a condition: GCC would keep the condition and its operand in the frame.
      const std::error_code failed =
          co_await readiness(*s, direction::read, wait_until(*core, !buffer.empty(), message_due));
      if (failed) co_return;
    } else {
      peer.set_read_deadline(time_until(c, wait_until(*core, !buffer.empty(), message_due)));
      const result<void> readable = co_await peer.wait_readable();
      peer.set_read_deadline(core->options.connection.read_deadline);
      if (!readable) co_return;
    }
    me.yields_to_stop = false;
    if (!read_into(c, buffer, peer)) co_return;
    while (!buffer.empty()) {
      const result<std::size_t> taken = co_await on_data(object, buffer.data(), peer, c);
      if (!consumed(c, buffer, taken)) co_return;
      if (*taken == 0) break;  // it needs more bytes
      message_due = no_deadline;
    }
  }
}

}  // namespace

task<void> consume(data_handler<tcp_stream> on_data, void* object, cell& c, tcp_stream peer, acceptor* core) {
  return consume_from(on_data, object, c, std::move(peer), core);
}

task<void> consume(data_handler<tls_stream> on_data, void* object, cell& c, tls_stream peer, acceptor* core) {
  return consume_from(on_data, object, c, std::move(peer), core);
}

}  // namespace troupe::detail
