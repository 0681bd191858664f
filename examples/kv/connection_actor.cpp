#include "kv/connection_actor.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <troupe/actors/inspect.hpp>
#include <utility>

#include "kv/reply.hpp"

namespace kv {
namespace {

using namespace std::chrono_literals;

// An fsync on a busy disk may take seconds; beyond this the client learns that nobody knows.
constexpr auto shard_deadline = 30s;
constexpr std::size_t write_from = 256 * 1024;  // bytes of replies that are worth a write of their own

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// What a client is told when a shard has not answered.
std::string failure_text(std::size_t shard, const troupe::error& why) {
  const std::string who = "shard " + std::to_string(shard);
  if (why == troupe::errc::timeout)
    return "ERR " + who + " did not answer in time; writes may have been done";
  if (why == troupe::errc::full) return "ERR " + who + " is overloaded; nothing was done";
  return "ERR " + who + " crashed; writes may have been done";
}

}  // namespace

connection_actor::connection_actor(troupe::tcp_stream stream, std::shared_ptr<server_state> server,
                                   shard_refs shards)
    : stream_(std::move(stream)),
      server_(std::move(server)),
      shards_(std::move(shards)),
      buffer_(server_->options.limits.max_command + troupe::read_buffer::block_bytes),
      parser_(server_->options.limits) {
  server_->clients.fetch_add(1, std::memory_order_relaxed);
  session_.id = static_cast<std::int64_t>(server_->connections.fetch_add(1, std::memory_order_relaxed)) + 1;
}

connection_actor::~connection_actor() {
  server_->clients.fetch_sub(1, std::memory_order_relaxed);
}

troupe::task<void> connection_actor::handle(serve, troupe::context& ctx) {
  for (;;) {
    const troupe::result<void> readable = co_await troupe::until_stopped(ctx, stream_.wait_readable());
    if (!readable || !read() || !co_await answer(ctx)) break;
  }
  stream_.close();
  ctx.stop();
}

/// False at the end of the stream.
bool connection_actor::read() {
  // Room for what the parser waits for, but never much more than has come: a client that only announces a
  // large argument gets no memory for it.
  const std::size_t wanted = std::max(parser_.wanted(), buffer_.size()) - buffer_.size();
  const std::size_t earned = std::max(buffer_.size(), troupe::read_buffer::block_bytes / 4);
  const std::span<std::byte> room = buffer_.prepare(std::clamp(wanted, std::size_t{1}, earned));
  if (room.empty()) return false;
  const auto got = stream_.try_read(room);
  if (got && *got) buffer_.commit(**got);
  buffer_.give_back();
  return got && (!*got || **got > 0);
}

std::string_view connection_actor::unread() const {
  const std::span<const std::byte> data = buffer_.data().subspan(parsed_);
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// Answers all complete commands in the buffer; false when the connection ends.
troupe::task<bool> connection_actor::answer(troupe::context& ctx) {
  borrowed_round r(shards_->size());
  bool goes_on = true;
  for (taken how = taken::most; goes_on && how != taken::all;) {
    how = take_commands(r->commands);
    server_->commands.fetch_add(r->commands.size(), std::memory_order_relaxed);
    if (!r->commands.local_only()) co_await ask_shards(*r);
    r->commands.finish(r->replies, r->out);
    if (how == taken::step) goes_on = do_step(ctx, r->out);
    if (how == taken::error) {
      reply::error(r->out, parser_.error());
      goes_on = false;
    }
    buffer_.consume(std::exchange(parsed_, 0));
    if (r->out.size() >= write_from || ((how == taken::all || !goes_on) && !r->out.empty())) {
      if (!co_await stream_.write_all(bytes_of(r->out))) goes_on = false;
      r->out.clear();
    }
  }
  r.give_back();
  if (!goes_on) farewell();
  co_return goes_on;
}

connection_actor::taken connection_actor::take_commands(pipeline& into) {
  std::string local;
  while (into.size() < server_->options.max_pipeline) {
    const parse_status status = parser_.parse(unread());
    parsed_ += parser_.consumed();
    if (status == parse_status::need_more) return taken::all;
    if (status == parse_status::error) return taken::error;
    local.clear();
    const command_spec* const spec = check_command(parser_.args(), local);
    if (spec != nullptr && spec->where != place::connection) {
      into.add(*spec, parser_.args());
      continue;
    }
    if (spec != nullptr) {
      step_ = execute(*spec, session_, parser_.args(), shards_->size(), local);
      if (step_ != session_step::answered && step_ != session_step::close) return taken::step;
    }
    into.add_local(local);
    if (spec != nullptr && step_ == session_step::close) return taken::step;
  }
  return taken::most;
}

// All shards concerned are asked before the first answer is awaited: they work side by side.
troupe::task<void> connection_actor::ask_shards(round& r) {
  for (std::size_t shard = 0; shard < shards_->size(); ++shard) {
    request_batch& batch = r.commands.batch(shard);
    if (batch.empty()) continue;
    execute_batch m{{std::move(batch), std::move(r.replies[shard])}};
    r.asked.push_back({shard, (*shards_)[shard].request(std::move(m), shard_deadline)});
  }
  for (round::question& q : r.asked) {
    auto answer = co_await q.answer;
    reply_batch& replies = r.replies[q.shard];
    if (answer) {
      r.commands.batch(q.shard) = std::move(answer->commands);
      replies = std::move(answer->replies);
    } else {
      replies.clear();
      replies.failure = failure_text(q.shard, answer.error());
    }
  }
  r.asked.clear();
}

bool connection_actor::do_step(troupe::context& ctx, std::string& out) {
  if (step_ == session_step::close) return false;  // answered, and counted, with the others
  server_->commands.fetch_add(1, std::memory_order_relaxed);
  const arguments args = parser_.args();
  switch (step_) {
    case session_step::info:
      append_info(server_->facts(), args, out);
      break;
    case session_step::config_get:
      append_config(server_->settings(), args, out);
      break;
    case session_step::tree:
      reply::bulk(out, troupe::to_text(ctx.sys().inspect()));
      break;
    case session_step::crash: {
      const std::size_t shard = shard_to_crash(args);
      if ((*shards_)[shard].tell(crash_shard{}) == troupe::send_result::ok) {
        out.append(reply::ok);
      } else {
        reply::error(out, "ERR shard " + std::to_string(shard) + " takes no message at the moment");
      }
      break;
    }
    case session_step::shutdown:
      if (const auto tree = ctx.sys().at<>("/kv")) ctx.sys().stop(*tree);
      return false;
    case session_step::close:
    case session_step::answered:
      break;
  }
  return true;
}

// Says that nothing more will come, and takes in what has come already: a close with unread bytes would be a
// reset, which may overtake the last reply.
void connection_actor::farewell() {
  if (!stream_.shutdown_write()) return;
  std::array<std::byte, 4096> sink;
  for (int reads = 0; reads < 64; ++reads) {
    const auto got = stream_.try_read(sink);
    if (!got || !*got || **got == 0) return;
  }
}

}  // namespace kv
