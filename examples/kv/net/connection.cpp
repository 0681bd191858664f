// The life of a connection: read a batch of commands, run it in rounds, write the replies.
#include "kv/net/connection.hpp"

#include "kv/net/reply.hpp"

#include <troupe/actors/inspect.hpp>
#include <troupe/transport/framed.hpp>
#include <troupe/transport/stream_ops.hpp>

#include <chrono>
#include <utility>

namespace kv {
namespace {

using namespace std::chrono_literals;

// An fsync on a busy disk may take seconds; after this the client is told that the outcome is unknown.
constexpr auto shard_deadline = 30s;
constexpr std::size_t write_from = 256 * 1024;  // bytes of replies that are written before the batch is done

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The error for a client whose shard has not answered.
std::string failure_text(std::size_t shard, const troupe::error& why) {
  const std::string name = "shard " + std::to_string(shard);
  if (why == troupe::errc::timeout)
    return "ERR " + name + " did not answer in time; writes may have been executed";
  if (why == troupe::errc::full) return "ERR " + name + " is overloaded; nothing was executed";
  return "ERR " + name + " crashed; writes may have been executed";
}

/// The error for a client before its connection is closed; empty when it is gone, was idle, or the server
/// stops.
std::string closing_error(const troupe::error& why, const server_options& o) {
  std::string out;
  if (why == std::make_error_code(std::errc::bad_message)) {
    reply::error(out, why.text());
  } else if (why == troupe::errc::timeout && why.text().starts_with(resp_codec::name)) {
    // This timeout is that of framed; the idle timeout is the stream's and bears its name.
    reply::error(out, "ERR command not complete within " + std::to_string(o.command_timeout.count()) +
                          " s (--command-timeout), closing the connection");
  }
  return out;
}

}  // namespace

connection::connection(troupe::context& ctx, std::shared_ptr<server_state> server,
                       const std::shared_ptr<shard_directory>& shards)
    : server_(std::move(server)), shards_(shards->find(ctx)) {
  session_.id = server_->next_client_id.fetch_add(1, std::memory_order_relaxed);
}

troupe::task<void> connection::run(troupe::context& ctx, troupe::tcp_stream peer) {
  return serve(ctx, std::move(peer));
}
troupe::task<void> connection::run(troupe::context& ctx, troupe::tls_stream peer) {
  return serve(ctx, std::move(peer));
}

template <class Stream>
troupe::task<void> connection::serve(troupe::context& ctx, Stream peer) {
  // Each byte restarts the idle timeout but not the command timeout, so a client that sends its command byte
  // by byte is disconnected. The timeout runs only while we wait for the client: a busy shard does not use it
  // up.
  const server_options& o = server_->options;
  troupe::framed client(std::move(peer), resp_codec(o.limits),
                        {.frame_deadline = time_or_forever(o.command_timeout)});
  for (;;) {
    auto commands = co_await troupe::until_stopped(ctx, client.next_batch());
    if (!commands) {
      const std::string out = closing_error(commands.error(), o);
      if (!out.empty()) (void)co_await client.stream().write_all(bytes_of(out));
      break;
    }
    if (commands->empty()) break;
    const bool open = co_await answer(ctx, client, *commands);
    if (!open) break;
  }
  co_await troupe::close_gracefully(client.stream(), troupe::duration::zero());
}

/// Answers all of `commands`, round by round; false when the connection ends.
template <class Client>
troupe::task<bool> connection::answer(troupe::context& ctx, Client& client,
                                      typename Client::batch& commands) {
  borrowed_round r(shards_->size());
  bool open = true;
  for (auto next = commands.begin(); open && next != commands.end();) {
    session_step step = session_step::answered;
    for (; next != commands.end() && r->commands.size() < server_->options.max_pipeline; ++next) {
      step = take(*next, r->commands);
      if (step != session_step::answered) break;
    }
    server_->commands.fetch_add(r->commands.size(), std::memory_order_relaxed);
    if (!r->commands.local_only()) co_await ask_shards(*r);
    r->commands.finish(r->replies, r->out);
    if (step != session_step::answered) {
      open = do_step(ctx, step, *next, r->out);
      ++next;
    }
    const bool last = !open || next == commands.end();
    if (r->out.size() >= write_from || (last && !r->out.empty())) {
      if (!co_await client.stream().write_all(bytes_of(r->out))) open = false;
      r->out.clear();
    }
  }
  r.give_back();
  co_return open;
}

/// Adds a command to the round. Returns the step that the connection must do at the end of the round, before
/// it takes another command; `answered` when there is none.
session_step connection::take(arguments args, pipeline& into) {
  if (args.empty()) return session_step::answered;
  std::string local;
  const command* const found = check_command(args, local);
  if (found != nullptr && found->where != place::connection) {
    into.add(*found, args);
    return session_step::answered;
  }
  session_step step = session_step::answered;
  if (found != nullptr) step = execute(*found, session_, args, shards_->size(), local);
  if (step == session_step::answered || step == session_step::close) into.add_local(local);
  return step;
}

// All shards concerned are asked before the first answer is awaited, so they work in parallel.
troupe::task<void> connection::ask_shards(round& r) {
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

/// Does the step that take() has returned; false when it ends the connection.
bool connection::do_step(troupe::context& ctx, session_step step, arguments args, std::string& out) {
  if (step == session_step::close) return false;  // answered and counted with the others
  server_->commands.fetch_add(1, std::memory_order_relaxed);
  switch (step) {
    case session_step::info:
      append_info(server_->facts(), args, out);
      break;
    case session_step::config_get:
      append_config(server_->settings(), args, out);
      break;
    case session_step::tree:
      reply::bulk(out, troupe::to_text(ctx.system().inspect()));
      break;
    case session_step::crash: {
      const std::size_t shard = shard_to_crash(args);
      if ((*shards_)[shard].tell(crash_shard{}) == troupe::send_result::ok) {
        out.append(reply::ok);
      } else {
        reply::error(out, "ERR shard " + std::to_string(shard) + " is not accepting requests");
      }
      break;
    }
    case session_step::shutdown:
      if (const auto tree = ctx.system().at<>("/kv")) ctx.system().stop(*tree);
      return false;
    case session_step::close:
    case session_step::answered:
      break;
  }
  return true;
}

}  // namespace kv
