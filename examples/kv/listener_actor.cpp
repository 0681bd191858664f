#include "kv/listener_actor.hpp"

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "kv/shard_actor.hpp"

namespace kv {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_after_failure = 50ms;  // out of descriptors: somebody has to leave first
constexpr auto connection_shutdown = 3s;    // to finish the round it is in
constexpr std::string_view refusal = "-ERR max number of clients reached\r\n";

}  // namespace

void listener_actor::started(troupe::context& ctx) {
  auto found = std::make_shared<std::vector<shard_ref>>();
  for (std::size_t shard = 0; shard < server_->options.shards.count; ++shard) {
    const std::string path = "/kv/shards/" + std::to_string(shard);
    found->push_back(ctx.sys().at<execute_batch, crash_shard>(path).value());
  }
  shards_ = std::move(found);
  connections_ = ctx.sys().supervisor_at("/kv/connections").value();
  if (ctx.self<listener_actor>().tell(accept_clients{}) != troupe::send_result::ok) return;
  if (ctx.epoch() == 0 && !server_->options.quiet) {
    std::printf("READY port=%u\n", unsigned{server_->port});
    std::fflush(stdout);
  }
}

troupe::task<void> listener_actor::handle(accept_clients, troupe::context& ctx) {
  bool failing = false;
  for (;;) {
    troupe::result<troupe::tcp_stream> client =
        co_await troupe::until_stopped(ctx, server_->listener.accept());
    if (client) {
      failing = false;
      co_await welcome(std::move(*client));
      continue;
    }
    if (client.error() == troupe::errc::cancelled) break;
    if (!std::exchange(failing, true) && !server_->options.quiet) {
      std::fprintf(stderr, "troupe-kv: %s; trying again\n", client.error().to_string().c_str());
    }
    if (!co_await troupe::until_stopped(ctx, troupe::sleep_for(pause_after_failure))) break;
  }
  server_->listener.close();
}

troupe::task<void> listener_actor::welcome(troupe::tcp_stream stream) {
  if (server_->clients.load(std::memory_order_relaxed) >= server_->options.max_clients) {
    server_->rejected.fetch_add(1, std::memory_order_relaxed);
    (void)stream.try_write(std::as_bytes(std::span(refusal)));
    co_return;
  }
  const auto connection = co_await connections_.start_child<connection_actor>(
      "",
      {.restart = troupe::restart::temporary,
       .shutdown = connection_shutdown,
       .mailbox = {.capacity = 1, .when_stopped = troupe::on_stop::drain}},
      std::move(stream), server_, shards_);
  if (connection) {
    (void)connection->tell(connection_actor::serve{});
  } else if (!server_->options.quiet) {
    std::fprintf(stderr, "troupe-kv: %s; the client is turned away\n",
                 connection.error().to_string().c_str());
  }
}

troupe::supervisor server_tree(const std::shared_ptr<server_state>& server) {
  // A client has one batch at a time in a shard's mailbox, so with this nobody is ever refused.
  const std::size_t room = server->options.max_clients + 64;
  const troupe::mailbox_options mailbox{
      .capacity = static_cast<std::uint32_t>(std::min<std::size_t>(room, 65534)),
      .when_stopped = troupe::on_stop::drain};
  troupe::supervisor shards("shards", {.restarts = {.max = 1000, .within = 10s}});
  // Several crashes in a row: the disk, or the journal, is in trouble, and needs a pause more than a restart.
  const troupe::backoff backoff{.first = 1ms, .most = 100ms};
  for (std::size_t shard = 0; shard < server->options.shards.count; ++shard) {
    shards = std::move(shards).child<shard_actor>(std::to_string(shard),
                                                  {.mailbox = mailbox, .backoff = backoff}, server, shard);
  }
  // When either gives up, so does the server: whoever started it decides what then.
  return troupe::supervisor("kv", {.restarts = {.max = 0}})
      .child(std::move(shards))
      .child(troupe::supervisor("connections", {.strategy = troupe::dynamic}))
      .child<listener_actor>("listener", {.mailbox = {.when_stopped = troupe::on_stop::drain}}, server);
}

}  // namespace kv
