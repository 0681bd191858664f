// A chat server for nc: rooms are actors, and so are those who are in them.
//
//   troupe-chat --port 7010 &
//   nc 127.0.0.1 7010
//     /nick ada        who you are
//     /join tea        enters a room, which is made if need be, and leaves the last one
//     hello            is said to all in the room
//     /who   /quit
//
// A slow reader holds up nobody: a room never waits (room.hpp). Told to stop, the server writes what its
// members have been told, and hangs up.
#include "server.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  std::uint16_t port = 7010;
  std::uint32_t backlog = 64;
  CLI::App app("A chat server on 127.0.0.1");
  app.add_option("--port", port, "0: any free one")->capture_default_str();
  app.add_option("--mailbox", backlog, "Lines that may wait for a slow reader")
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
