#include <troupe/transport/connection.hpp>

#include <algorithm>
#include <troupe/actors/until_stopped.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/read_buffer.hpp>

#include "server_core.hpp"

namespace troupe::detail {

void connection_finished(promise_base& base, strand& s) noexcept {
  auto& p = static_cast<task_promise<void>&>(base);
  auto& c = static_cast<cell&>(s);
  c.handler_done();
  const outcome how = p.how;
  const std::exception_ptr failure = std::move(p.exception);
  p.handle.destroy();
  if (how == outcome::error) {
    c.crash(error::from_exception(failure, c.path()));
  } else if (how == outcome::value) {
    c.stop_self();
  }
}

void run_connection(cell& c, task<void> t) noexcept {
  auto& p = t.promise();
  p.finished = &connection_finished;
  (void)t.release();
  c.run_handler(p);
}

namespace {

// Reads what is there; false when the stream has ended or failed, or the message is too long.
TROUPE_NOINLINE bool read_into(read_buffer& buffer, tcp_stream& peer) {
  const std::span<std::byte> room = buffer.prepare();
  if (room.empty()) return false;
  const result<std::optional<std::size_t>> got = peer.try_read(room);
  if (got && *got) buffer.commit(**got);
  buffer.give_back();
  return got && (!*got || **got != 0);
}

// How long the next read may wait, while a message has begun to come.
TROUPE_NOINLINE duration left_for_message(const context& ctx, time_point& due, const server_core& core) {
  const time_point now = ctx.now();
  if (due == time_point::max()) {
    const std::int64_t at = deadline_after(now.time_since_epoch().count(), core.options.message_deadline);
    if (at != INT64_MAX) due = time_point(duration(at));
  }
  const duration idle = core.options.connection.read_deadline;
  return due == time_point::max() ? idle : std::clamp(duration(due - now), duration(1), idle);
}

}  // namespace

task<void> consume(data_handler on_data, void* object, context& ctx, tcp_stream peer, server_core* core) {
  read_buffer buffer(core->options.max_message);
  time_point due = time_point::max();  // when the message that has begun must be complete
  for (;;) {
    if (buffer.empty()) {
      // Between two messages: a stop ends the connection here.
      if (!co_await until_stopped(ctx, peer.wait_readable())) co_return;
    } else {
      peer.set_read_deadline(left_for_message(ctx, due, *core));
      if (!co_await peer.wait_readable()) co_return;
    }
    if (!read_into(buffer, peer)) co_return;
    while (!buffer.empty()) {
      const result<std::size_t> taken = co_await on_data(object, buffer.data(), peer, ctx);
      if (!taken) co_return;
      if (*taken == 0) break;
      buffer.consume(*taken);
      if (due != time_point::max()) due = time_point::max();
    }
    if (buffer.empty()) peer.set_read_deadline(core->options.connection.read_deadline);
  }
}

}  // namespace troupe::detail
