// Builds the tree of the chat server.
#include "server.hpp"

#include "member.hpp"
#include "room.hpp"

namespace chat {

using namespace std::chrono_literals;

troupe::supervisor server(const options& o) {
  const troupe::tcp_server<member> tcp("tcp",
                                       {.listen = o.listen,
                                        // A client that is gone without closing leaves after two minutes.
                                        .connection = {.keep_alive = true,
                                                       .keep_alive_idle = 60s,
                                                       .keep_alive_interval = 10s,
                                                       .keep_alive_count = 3,
                                                       .write_deadline = 30s},
                                        .drain = 2s,
                                        .mailbox = {.capacity = o.backlog},
                                        .on_listening = o.on_listening});
  return troupe::supervisor("app").child<lobby>("rooms").child(tcp);
}

}  // namespace chat
