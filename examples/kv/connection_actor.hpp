// The actor behind one client. It waits for bytes, takes all complete commands out of them, asks each shard
// concerned once, and answers in one write; only then does it read on, so a client has one round under way
// and the kernel's window slows down whoever sends faster than that.
//
// A temporary child of the dynamic supervisor /kv/connections, never restarted: a client whose connection has
// failed connects anew. When the server stops, it finishes the round it is in and ends.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <troupe/actors.hpp>
#include <troupe/transport/read_buffer.hpp>
#include <troupe/transport/tcp_stream.hpp>
#include "kv/resp.hpp"
#include "kv/round.hpp"
#include "kv/server_state.hpp"
#include "kv/session.hpp"

namespace kv {

/// The shards by index, as every connection shares them.
using shard_refs = std::shared_ptr<const std::vector<shard_ref>>;

class connection_actor {
 public:
  struct serve {};
  using accepts = troupe::protocol<serve>;

  connection_actor(troupe::tcp_stream stream, std::shared_ptr<server_state> server, shard_refs shards);
  connection_actor(const connection_actor&) = delete;
  connection_actor& operator=(const connection_actor&) = delete;
  ~connection_actor();

  /// The whole life of the connection.
  troupe::task<void> handle(serve, troupe::context& ctx);

 private:
  /// Why a round takes no more commands.
  enum class taken : std::uint8_t {
    all,    ///< what was complete
    most,   ///< as many as a round may have; there may be more
    step,   ///< a command the connection must do itself, in its turn: see step_
    error,  ///< the stream cannot be followed any further
  };

  bool read();
  troupe::task<bool> answer(troupe::context& ctx);
  taken take_commands(pipeline& into);
  troupe::task<void> ask_shards(round& r);
  /// Does what step_ says; false when the connection ends with it.
  bool do_step(troupe::context& ctx, std::string& out);
  void farewell();
  std::string_view unread() const;

  troupe::tcp_stream stream_;
  std::shared_ptr<server_state> server_;
  shard_refs shards_;
  troupe::read_buffer buffer_;
  resp_parser parser_;
  session session_;
  std::size_t parsed_ = 0;  // bytes at the front of buffer_ that are done with
  session_step step_ = session_step::answered;
};

}  // namespace kv
