// A chat server for nc: every room and every member is an actor.
//
//   troupe-chat --port 7010 &
//   nc 127.0.0.1 7010
//     /nick ada        sets your name
//     /join tea        enters a room, which is created if needed, and leaves the previous one
//     hello            is sent to all members of the room
//     /who   /quit
//
// A slow reader delays no other member, because a room never waits (room.hpp). When the server stops, it
// writes the lines that its members have been sent, then closes the connections.
#include "server.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  std::uint16_t port = 7010;
  std::uint32_t backlog = 64;
  CLI::App app("A chat server on 127.0.0.1");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  app.add_option("--mailbox", backlog, "Lines queued for a slow reader before further ones are dropped")
      ->check(CLI::Range(4, 65534))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  troupe::system sys({.name = "chat"});
  return sys.run(chat::server({.listen = troupe::ip_endpoint::loopback(port),
                               .backlog = backlog,
                               .on_listening = [](const troupe::ip_endpoint& at) {
                                 std::printf("READY port=%u\n", unsigned{at.port()});
                                 std::fflush(stdout);
                               }}));
}
