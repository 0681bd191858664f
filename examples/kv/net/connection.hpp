// The actor behind one client, over TCP or TLS. It waits for bytes, takes all complete commands out of them,
// asks each shard concerned once, and answers in one write; only then does it read on, so a client has one
// round under way and the kernel's window slows down whoever sends faster than that.
//
// A connection of a tcp_server or a tls_server, never restarted: a client whose connection has failed
// connects anew. When the server stops, it finishes what it has read and ends.
#pragma once

#include "kv/net/resp.hpp"
#include "kv/net/round.hpp"
#include "kv/net/session.hpp"
#include "kv/server_state.hpp"
#include "kv/shard/shard_directory.hpp"

#include <troupe/actors.hpp>
#include <troupe/transport/tcp_stream.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <memory>

namespace kv {

class connection {
 public:
  connection(troupe::context& ctx, std::shared_ptr<server_state> server,
             const std::shared_ptr<shard_directory>& shards);

  /// The whole life of the connection.
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer);
  troupe::task<void> run(troupe::context& ctx, troupe::tls_stream peer);

 private:
  template <class Stream>
  troupe::task<void> serve(troupe::context& ctx, Stream peer);
  template <class Client>
  troupe::task<bool> answer(troupe::context& ctx, Client& client, typename Client::batch& commands);

  session_step take(arguments command, pipeline& into);
  troupe::task<void> ask_shards(round& r);
  bool do_step(troupe::context& ctx, session_step step, arguments command, std::string& out);

  std::shared_ptr<server_state> server_;
  shard_refs shards_;
  session session_;
};

}  // namespace kv
