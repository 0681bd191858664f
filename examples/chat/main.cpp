// A chat server for nc: rooms are actors, and so are those who are in them.
//
//   troupe-chat --port 7010 &
//   nc 127.0.0.1 7010
//     /nick ada        who you are
//     /join tea        enters a room, which is made if need be, and leaves the last one
//     hello            is said to all in the room
//     /who   /quit
//
// A slow reader holds up nobody: a room never waits. What does not fit into a member's mailbox is lost for
// that member, who is told how much it was as soon as there is room again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>
#include <vector>

using namespace std::chrono_literals;

/// To a member: something to show.
struct line {
  std::string text;
  bool last = false;  // from the member itself: its client says no more
};
using member_ref = troupe::ref<line>;

class room {
 public:
  struct join {
    using reply = bool;  // whether the nick was free
    std::string nick;
    member_ref who;
  };
  struct leave {
    member_ref who;
  };
  struct say {
    member_ref who;
    std::string text;
  };
  struct list {
    using reply = std::string;
  };
  using accepts = troupe::protocol<join, leave, say, list>;

  explicit room(std::string name) : name_(std::move(name)) {}

  /// Also for a new nick of somebody who is here.
  bool handle(join m, troupe::context& ctx) {
    if (std::ranges::find(members_, m.nick, &member::nick) != members_.end()) return false;
    if (const auto me = find(m.who); me != members_.end()) {
      announce(me->nick + " is now " + m.nick);
      me->nick = std::move(m.nick);
      return true;
    }
    ctx.watch(m.who);
    announce(m.nick + " has come");
    members_.push_back({std::move(m.nick), std::move(m.who)});
    return true;
  }
  void handle(const leave& m, troupe::context& ctx) {
    ctx.unwatch(m.who);
    remove(m.who);
  }
  void handle(const troupe::down& d) { remove(d.who); }
  void handle(const say& m) {
    if (const auto from = find(m.who); from != members_.end()) announce(from->nick + ": " + m.text);
  }
  std::string handle(list) const {
    std::string all = "in " + name_ + ":";
    for (const member& m : members_) all += " " + m.nick;
    return all;
  }

 private:
  struct member {
    std::string nick;
    member_ref who;
    unsigned missed = 0;  // lines since the last one that fitted in
  };

  std::vector<member>::iterator find(const troupe::any_ref& who) {
    return std::ranges::find_if(members_, [&](const member& m) { return m.who == who; });
  }
  void announce(const std::string& text) {
    for (member& m : members_) {
      std::string all = m.missed == 0 ? text : "(" + std::to_string(m.missed) + " lines missed)\n" + text;
      m.missed = m.who.tell(line{std::move(all)}) == troupe::send_result::ok ? 0 : m.missed + 1;
    }
  }
  void remove(const troupe::any_ref& who) {
    const auto gone = find(who);
    if (gone == members_.end()) return;
    const std::string nick = gone->nick;
    members_.erase(gone);
    announce(nick + " has left");
  }

  std::string name_;
  std::vector<member> members_;
};
using room_ref = troupe::ref_of<room>;

/// Knows the rooms, which are its children.
class lobby {
 public:
  struct enter {
    using reply = room_ref;
    std::string name;
  };
  using accepts = troupe::protocol<enter>;
  static constexpr std::size_t most_rooms = 1000;

  troupe::result<room_ref> handle(const enter& m, troupe::context& ctx) {
    const auto at = rooms_.find(m.name);
    if (at != rooms_.end()) return at->second;
    if (rooms_.size() == most_rooms) return std::unexpected(troupe::error(troupe::errc::full));
    return rooms_.emplace(m.name, ctx.spawn<room>({.name = m.name}, m.name)).first->second;
  }

 private:
  std::map<std::string, room_ref> rooms_;
};

/// One client: reads commands, and writes what it is told, side by side.
class member {
 public:
  troupe::task<void> run(troupe::context& ctx, troupe::tcp_stream peer, troupe::inbox<line> in) {
    const auto rooms = ctx.sys().at<lobby::enter>("/app/rooms");
    if (!rooms) co_return;
    say("welcome: /nick NAME, /join ROOM, /who, /quit, and everything else is said", in);
    co_await troupe::either(read_and_linger(peer, in, *rooms), write(peer, in));
    if (room_) (void)room_.tell(room::leave{in.self()});
    (void)peer.shutdown_write();
  }

 private:
  static troupe::task<void> write(troupe::tcp_stream& peer, troupe::inbox<line> in) {
    for (;;) {
      auto m = co_await in.receive();
      if (std::get<line>(m).last) co_return;
      std::string& text = std::get<line>(m).text;
      text += '\n';
      if (!co_await peer.write_all(std::as_bytes(std::span(text)))) co_return;
    }
  }

  /// A client that says no more still hears the answers to what it said, unless it is too slow for that.
  troupe::task<void> read_and_linger(troupe::tcp_stream& peer, troupe::inbox<line> in,
                                     troupe::ref<lobby::enter> rooms) {
    co_await read(peer, in, std::move(rooms));
    (void)co_await in.self().send(line{.text = {}, .last = true});
    co_await troupe::sleep_for(5s);  // write() ends before
  }

  troupe::task<void> read(troupe::tcp_stream& peer, troupe::inbox<line> in, troupe::ref<lobby::enter> rooms) {
    troupe::framed<troupe::tcp_stream&, troupe::line_codec> lines(peer,
                                                                  troupe::line_codec({.max_line = 1000}));
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

  troupe::task<void> rename(std::string nick, troupe::inbox<line> in) {
    if (nick.empty() || nick.size() > 40) {
      say("a nick has 1 to 40 letters", in);
      co_return;
    }
    const std::string before = std::exchange(nick_, nick);
    if (room_ && !co_await joined(room_, in)) nick_ = before;
  }

  troupe::task<void> join(std::string name, troupe::inbox<line> in, troupe::ref<lobby::enter> rooms) {
    if (nick_.empty() || name.empty() || name.find('/') != name.npos) {
      say(nick_.empty() ? "first say who you are: /nick NAME" : "a room has a name without slashes", in);
      co_return;
    }
    const auto found = co_await rooms.ask(lobby::enter{name}, 5s);
    if (!found) {
      say("there are too many rooms", in);
    } else if (co_await joined(*found, in)) {
      if (room_ && room_ != *found) (void)co_await room_.send(room::leave{in.self()});
      room_ = *found;
      say("you are in " + name, in);
    }
  }

  troupe::task<bool> joined(room_ref to, troupe::inbox<line> in) {
    const auto free = co_await to.ask(room::join{nick_, in.self()}, 5s);
    if (free && !*free) say("somebody there is called " + nick_, in);
    co_return free && *free;
  }

  /// To the client itself; as from a room, it is lost when too much waits already.
  static void say(std::string text, troupe::inbox<line> in) { (void)in.self().tell(line{std::move(text)}); }

  static std::pair<std::string, std::string> split(const std::string& text) {
    const std::size_t at = text.find(' ');
    return {text.substr(0, at), at == text.npos ? "" : text.substr(at + 1)};
  }

  std::string nick_;
  room_ref room_;
};

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
  const troupe::tcp_server<member> server("tcp", {.listen = troupe::ip_endpoint::loopback(port),
                                                  .connection = {.write_deadline = 30s},
                                                  .drain = 2s,
                                                  .mailbox = {.capacity = backlog},
                                                  .on_listening = [](const troupe::ip_endpoint& at) {
                                                    std::printf("READY port=%u\n", unsigned{at.port()});
                                                    std::fflush(stdout);
                                                  }});
  return sys.run(troupe::supervisor("app").child<lobby>("rooms").child(server));
}
