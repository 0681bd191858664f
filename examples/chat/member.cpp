// The commands of a member, and the order in which its connection ends.
#include "member.hpp"

#include <span>
#include <variant>

namespace chat {

using namespace std::chrono_literals;
using troupe::task;
using troupe::tcp_stream;

namespace {

// Queues a line for the client itself. As with lines from a room, it is lost when the mailbox is full.
void say(std::string text, const troupe::inbox<line>& in) {
  (void)in.self().tell(line{std::move(text)});
}

std::pair<std::string, std::string> split(const std::string& text) {
  const std::size_t at = text.find(' ');
  return {text.substr(0, at), at == text.npos ? "" : text.substr(at + 1)};
}

}  // namespace

task<void> member::run(troupe::context& ctx, tcp_stream peer, inbox in) {
  const auto rooms = ctx.system().at<lobby::enter>("/app/rooms");
  if (!rooms) co_return;
  say("welcome: /nick NAME, /join ROOM, /who, /quit; any other line is sent to the room", in);
  co_await troupe::either(read_and_linger(peer, in, *rooms), write(peer, in));
  co_await leave(in);
  co_await troupe::close_gracefully(peer, 1s);
}

// Runs until the client has sent its last command, or the server stops. Lines queued before that are still
// written.
task<void> member::write(tcp_stream& peer, inbox in) {
  while (auto m = co_await in.next()) {
    auto& [text, last] = std::get<line>(*m);
    if (last) co_return;
    text += '\n';
    if (!co_await peer.write_all(std::as_bytes(std::span(text)))) co_return;
  }
}

// A client that has ended its input still receives the answers to it, unless it is too slow.
task<void> member::read_and_linger(tcp_stream& peer, inbox in, lobby_ref rooms) {
  co_await read(peer, in, std::move(rooms));
  co_await leave(in);
  (void)co_await in.self().send(line{.text = {}, .last = true});
  co_await troupe::sleep_for(1min);  // write() ends first: each of its writes has a deadline of 30 s
}

task<void> member::read(tcp_stream& peer, inbox in, lobby_ref rooms) {
  troupe::framed<tcp_stream&, troupe::line_codec> lines(peer, troupe::line_codec({.max_line = 1000}));
  for (;;) {
    const auto next = co_await lines.next();
    if (!next || !*next) co_return;
    const std::string text(**next);
    const auto [command, rest] = split(text);
    if (command == "/quit") co_return;
    if (command == "/nick") {
      co_await rename(rest, in);
    } else if (command == "/join") {
      co_await join(rest, in, rooms);
    } else if (!room_) {
      say("you are in no room: /join one", in);
    } else if (command == "/who") {
      const auto all = co_await room_.ask(room::list{}, 5s);
      say(all ? *all : all.error().to_string(), in);
    } else if (!co_await room_.send(room::say{in.self(), text})) {
      say("(that was not heard)", in);
    }
  }
}

// -- commands -------------------------------------------------------------------------

task<void> member::rename(std::string nick, inbox in) {
  if (nick.empty() || nick.size() > 40) {
    say("a nick has 1 to 40 letters", in);
    co_return;
  }
  const std::string before = std::exchange(nick_, nick);
  if (!room_) co_return;
  const bool welcome = co_await joined(room_, in);
  if (!welcome) nick_ = before;
}

task<void> member::join(std::string name, inbox in, lobby_ref rooms) {
  if (nick_.empty() || name.empty() || name.find('/') != name.npos) {
    say(nick_.empty() ? "first say who you are: /nick NAME" : "a room has a name without slashes", in);
    co_return;
  }
  const auto found = co_await rooms.ask(lobby::enter{name}, 5s);
  if (!found) {
    say("there are too many rooms", in);
  } else if (co_await joined(*found, in)) {
    if (room_ != *found) co_await leave(in);
    room_ = *found;
    say("you are in " + name, in);
  }
}

task<bool> member::joined(room_ref to, inbox in) {
  const auto free = co_await to.ask(room::join{nick_, in.self()}, 5s);
  if (free && !*free) say("that nick is taken in this room: " + nick_, in);
  co_return free && *free;
}

task<void> member::leave(inbox in) {
  const room_ref left = std::exchange(room_, {});
  if (left) (void)co_await left.ask(room::leave{in.self()}, 5s);
}

}  // namespace chat
