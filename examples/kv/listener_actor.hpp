// The actor that accepts clients. Each gets a connection actor, a child of the dynamic supervisor beside
// it. It is the last to start and so the first to stop: it closes the socket, then the connections are
// stopped, all at once, and then the shards. The socket itself belongs to the server's
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
  troupe::task<void> welcome(troupe::tcp_stream stream);

  std::shared_ptr<server_state> server_;
  shard_refs shards_;
  troupe::supervisor_ref connections_;
};

/// The whole tree of a server: its shards, its connections, its listener.
troupe::supervisor server_tree(const std::shared_ptr<server_state>& server);

}  // namespace kv
