// The example servers with common clients: nc and socat.
#include "support/catch.hpp"
#include "transport/examples/example_process.hpp"

#include <functional>
#include <thread>

using namespace troupe_test;
using namespace std::chrono_literals;

namespace {

/// A client of the chat.
struct guest {
  guest(const example& s, const std::string& nick, const std::string& room) : c(s.connect()) {
    c.receive_line();  // the welcome
    c.send("/nick " + nick + "\n/join " + room + "\n");
    joined = c.receive_line();
  }
  /// The next line that contains `text`.
  bool hears(const std::string& text) {
    for (;;) {
      const std::string line = c.receive_line();
      if (line.empty()) return false;
      if (line.find(text) != line.npos) return true;
    }
  }
  blocking_client c;
  std::string joined;
};

}  // namespace

TEST_CASE("examples: nc and socat talk to the echo server") {
  example s("echo-tcp");
  const std::string port = std::to_string(s.port());
  if (has_program("nc", "netcat-openbsd")) {
    CHECK(shell("printf 'hello\\n' | timeout 10 nc -N 127.0.0.1 " + port).out == "hello\n");
  }
  if (has_program("socat", "socat")) {
    const shell_result r =
        shell("head -c 3000000 /dev/zero | timeout 20 socat -t 10 - TCP:" + s.address() + " | wc -c");
    CHECK(r.out == "3000000\n");
  }
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: people chat") {
  example s("chat");
  guest ada(s, "ada", "tea");
  CHECK(ada.joined == "you are in tea\n");
  guest bob(s, "bob", "tea");
  CHECK(ada.hears("bob has come"));
  bob.c.send("hello\n");
  CHECK(ada.hears("bob: hello"));
  CHECK(bob.hears("bob: hello"));
  guest other(s, "bob", "tea");
  CHECK(other.joined == "that nick is taken in this room: bob\n");
  ada.c.send("/who\n");
  CHECK(ada.hears("in tea: ada bob"));
  ada.c.send("/nick bob\n");
  CHECK(ada.hears("that nick is taken in this room: bob"));
  ada.c.send("/nick eve\nstill me\n");
  CHECK(bob.hears("ada is now eve"));
  CHECK(bob.hears("eve: still me"));
  guest carl(s, "carl", "coffee");
  carl.c.send("/join tea\n");
  CHECK(bob.hears("carl has come"));
  carl.c.send("/quit\n");
  CHECK(bob.hears("carl has left"));
  CHECK(carl.hears("you are in tea"));
  bob.c.reset();
  CHECK(ada.hears("bob has left"));
  if (has_program("nc", "netcat-openbsd")) {
    const shell_result r =
        shell("printf '/nick nc\\n/join tea\\nhi\\n/who\\n' | timeout 10 nc -q 2 127.0.0.1 " +
              std::to_string(s.port()));
    CHECK(r.out.find("in tea: eve nc") != r.out.npos);
    CHECK(ada.hears("nc: hi"));
  }
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: a slow reader does not hold up the room, and learns how much it missed") {
  example s("chat", {"--mailbox", "8"});
  guest slow(s, "slow", "tea");
  guest ada(s, "ada", "tea");
  REQUIRE(slow.hears("ada has come"));
  guest bob(s, "bob", "tea");
  REQUIRE(ada.hears("bob has come"));
  const std::string text(900, 'x');
  int heard = 0;
  // More than the kernel buffers for a client that does not read.
  for (int i = 0; i < 15'000; ++i) {
    REQUIRE(ada.c.send(std::to_string(i) + text + "\n"));
    if (i % 4 == 3) {  // ada and bob read as they go, so that they miss nothing
      REQUIRE(ada.hears("ada: " + std::to_string(i)));
      REQUIRE(bob.hears("ada: " + std::to_string(i)));
      ++heard;
    }
  }
  CHECK(heard == 3'750);
  // Once it reads again, it gets the buffered lines, and then the number of lines it missed.
  std::thread talker([&] {
    for (int i = 0; i < 200; ++i) {
      ada.c.send("more\n");
      ada.hears("ada: more");
      std::this_thread::sleep_for(2ms);
    }
  });
  CHECK(slow.hears("lines missed)"));
  talker.join();
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: the proxy forwards both ways, including the end of the stream") {
  example target("echo-tcp");
  example s("proxy", {"--to", target.address(), "--drain", "1"});
  blocking_client c = s.connect();
  REQUIRE(c.send("there and back"));
  CHECK(c.receive(14) == "there and back");
  std::string much(5'000'000, 'x');
  for (std::size_t i = 0; i < much.size(); i += 997) much[i] = static_cast<char>('a' + i % 26);
  std::thread sender([&] {
    c.send(much);
    c.shutdown_write();
  });
  CHECK(c.rest() == much);
  sender.join();
  CHECK_FALSE(c.was_reset());
  if (has_program("socat", "socat")) {
    CHECK(shell("echo via socat | timeout 10 socat -t 5 - TCP:" + s.address()).out == "via socat\n");
  }
  // No server at the other end: the client is disconnected, and the log has the reason.
  target->kill();
  CHECK(s.connect().rest().empty());
  CHECK(s->log().find("nothing listens there") != std::string::npos);
  CHECK(s->terminate() == 0);
}
