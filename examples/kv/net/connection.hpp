// The actor behind one client, over TCP or TLS. It waits for bytes, decodes all complete commands, asks each
// shard concerned once, and answers in one write. Only then does it read again, so a client has one round in
// progress, and the TCP receive window slows down a client that sends faster than that.
//
// Owned by a tcp_server or a tls_server, which never restarts it: a client whose connection has failed
// connects again. When the server stops, the connection finishes the commands it has read and ends.
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

  session_step take(arguments args, pipeline& into);
  troupe::task<void> ask_shards(round& r);
  bool do_step(troupe::context& ctx, session_step step, arguments args, std::string& out);

  std::shared_ptr<server_state> server_;
  shard_refs shards_;
  session session_;
};

}  // namespace kv
