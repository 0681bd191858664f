// The actor that accepts clients. Each gets a connection actor as a child of it; told to stop, it closes the
// socket, and only then are the children stopped, all at once. The socket itself belongs to the server's
// state, so it survives a restart of this actor.
#pragma once

#include <memory>

#include <troupe/actors.hpp>
#include "kv/connection_actor.hpp"
#include "kv/server_state.hpp"

namespace kv {

class listener_actor {
 public:
  struct accept_clients {};
  using accepts = troupe::protocol<accept_clients>;

  explicit listener_actor(std::shared_ptr<server_state> server) : server_(std::move(server)) {}

  /// Finds the shards, which are up by now, and says on stdout that the server is ready.
  void started(troupe::context& ctx);
  troupe::task<void> handle(accept_clients, troupe::context& ctx);

 private:
  void welcome(troupe::tcp_stream stream, troupe::context& ctx);

  std::shared_ptr<server_state> server_;
  shard_refs shards_;
};

/// The whole tree of a server: its shards, then its clients.
troupe::supervisor server_tree(const std::shared_ptr<server_state>& server);

}  // namespace kv
