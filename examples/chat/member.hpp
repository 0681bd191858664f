// A member of the chat: the actor of one client's connection.
#pragma once

#include "room.hpp"

#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <string>
#include <utility>

namespace chat {

/// Reads commands and writes the lines from its mailbox, concurrently. Owned by the TCP server.
class member {
 public:
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer, troupe::inbox<line> in);

 private:
  using inbox = troupe::inbox<line>;
  using lobby_ref = troupe::ref<lobby::enter>;

  static troupe::task<void> write(troupe::tcp_stream& peer, inbox in);
  troupe::task<void> read_and_linger(troupe::tcp_stream& peer, inbox in, lobby_ref rooms);
  troupe::task<void> read(troupe::tcp_stream& peer, inbox in, lobby_ref rooms);

  troupe::task<void> rename(std::string nick, inbox in);
  troupe::task<void> join(std::string name, inbox in, lobby_ref rooms);
  troupe::task<bool> joined(room_ref to, inbox in);
  troupe::task<void> leave(inbox in);

  std::string nick_;
  room_ref room_;
};

}  // namespace chat
