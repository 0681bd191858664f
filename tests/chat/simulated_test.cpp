// The whole chat on a simulated network: its server and its clients crash, under loss, resets, and partitions
// of one or both directions. The reference is the record of an actor in the room, which misses nothing: each
// client must receive the same lines from the moment it joins, without a gap, a change or a repetition.
#include "chat/room.hpp"
#include "chat/server.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using troupe::duration;
using troupe::task;
using troupe::tcp_stream;

namespace {

constexpr unsigned seeds = troupe_test::sanitized ? 40 : 500;
constexpr int people = 4;
constexpr int lines = 12;  // of its own that each client must receive

std::string said(const std::string& nick, int number) {
  // Long enough to be split in transit, and different everywhere: torn, mixed or moved lines are detected.
  const auto letter = static_cast<char>('a' + (number * 7 + nick.back()) % 26);
  return nick + ": " + std::to_string(number) + " " +
         std::string(static_cast<std::size_t>(number * 37 % 400), letter);
}

// -- the server, and the scribe that records the room ----------------------------------------------

using chronicle = std::vector<std::string>;

/// The scribe: in the room from its first moment to its last.
struct scribe {
  using accepts = troupe::protocol<chat::line>;
  explicit scribe(chronicle* c) : all(c) {}
  void handle(const chat::line& m) const { all->push_back(m.text); }
  chronicle* all;
};

class server_machine {
 public:
  server_machine(const troupe::sim::network& net, std::uint32_t backlog)
      : host_(net, "server"), backlog_(backlog) {}
  ~server_machine() { crash(); }
  server_machine(const server_machine&) = delete;
  server_machine& operator=(const server_machine&) = delete;

  troupe::sim::host& host() { return host_; }
  [[nodiscard]] bool is_up() const { return system_.has_value(); }
  [[nodiscard]] const std::deque<chronicle>& chronicles() const { return chronicles_; }

  void boot() {
    host_.restart();
    system_.emplace(host_, troupe::system_options{.name = "chat", .log = &troupe::silent_log()});
    tree_ = must(system_->start(chat::server({.listen = host_.endpoint(7010), .backlog = backlog_})));
    chronicle* const c = &chronicles_.emplace_back();
    scribe_ = system_->spawn<scribe>({.mailbox = {.capacity = 16000}}, c);
    const auto rooms = must(system_->at<chat::lobby::enter>("/app/rooms"));
    const auto tea = must(system_->block_on(rooms.ask(chat::lobby::enter{"tea"})));
    REQUIRE(must(system_->block_on(tea.ask(chat::room::join{"scribe", scribe_}))));
  }

  /// Crashes the server's host.
  void crash() {
    if (!is_up()) return;
    host_.crash();
    forget();
  }

  // An orderly stop: begun, ended, and nothing left but the scribe, which is not a part of the server.
  void begin_stop() { system_->stop(tree_); }
  [[nodiscard]] bool has_stopped() const { return tree_.ended() && system_->inspect().count() == 2; }

 private:
  template <class T>
  static T must(troupe::result<T> r) {
    INFO((r ? std::string() : r.error().to_string()));
    REQUIRE(r);
    return std::move(*r);
  }
  void forget() {
    tree_ = {};
    scribe_ = {};
    system_.reset();
  }

  troupe::sim::host host_;
  std::uint32_t backlog_;
  std::optional<troupe::system> system_;
  troupe::supervisor_ref tree_;
  troupe::ref_of<scribe> scribe_;
  std::deque<chronicle> chronicles_;  // one for each run of the server
};

// -- the clients ----------------------------------------------------------------------------------

/// One connection of a client, with its own nick.
struct visit {
  std::string nick;
  std::vector<std::string> heard;  // lines from the room
  int own = 0;                     // of these, its own lines, which are thereby acknowledged
  bool hung_up = false;            // the server has ended the stream, in order
};

/// A client and the records of its visits; outlives every crash.
struct person {
  person(const troupe::sim::network& net, std::string n) : name(n), host(net, n) {}
  std::string name;
  troupe::sim::host host;
  std::deque<visit> visits;
  std::uint64_t hesitation = 0;  // up to this many ns before each read
  int own = 0;
  bool stays = false;  // until the server hangs up
  bool asks = false;   // sends /who all the time
  bool done = false;
};

task<bool> write(tcp_stream& s, std::string text) {
  text += '\n';
  const auto sent = co_await s.write_all(std::as_bytes(std::span(text)));
  co_return sent.has_value();
}

// Sends lines until enough of them have come back, then leaves and waits for the server to close.
task<void> talk(tcp_stream& s, person& p, const visit& v, troupe::sim::runtime& rt) {
  if (!co_await write(s, "/nick " + v.nick + "\n/join tea")) co_return;
  for (int number = 0; p.own < lines; ++number) {
    if (!co_await write(s, said(v.nick, number).substr(v.nick.size() + 2))) co_return;
    co_await troupe::sleep_for(duration(rt.random() % 200'000'000));
  }
  while (p.stays) {
    if (p.asks) {
      const bool asked = co_await write(s, "/who");
      if (!asked) co_return;
    }
    co_await troupe::sleep_for(p.asks ? 5ms : 200ms);
  }
  if (!co_await write(s, "/quit")) co_return;
  co_await troupe::sleep_for(1h);
}

// Whether a line is from the room, and not the server's answer to this client alone.
bool is_public(std::string_view text) {
  return !text.starts_with("welcome") && !text.starts_with("in tea: ") && text != "you are in tea" &&
         text != "(that was not heard)";
}

task<void> listen(tcp_stream& s, person& p, visit& v, troupe::sim::runtime& rt) {
  troupe::framed<tcp_stream&, troupe::line_codec> in(s, troupe::line_codec({.max_line = 2000}));
  for (;;) {
    if (p.hesitation != 0) co_await troupe::sleep_for(duration(rt.random() % p.hesitation));
    const auto next = co_await in.next();
    if (!next) co_return;
    if (!*next) {
      v.hung_up = true;
      co_return;
    }
    const std::string text(**next);
    if (!is_public(text)) continue;
    v.heard.push_back(text);
    if (!text.starts_with(v.nick + ": ")) continue;
    ++v.own;
    ++p.own;
  }
}

// One visit after the other, until the server has closed one that has sent all its lines.
task<void> chat_along(troupe::ip_endpoint server, person& p, troupe::sim::runtime& rt) {
  while (!p.done) {
    auto s = co_await tcp_stream::connect(server, 5s, {.read_deadline = 20s, .write_deadline = 10s});
    if (s) {
      visit& v = p.visits.emplace_back();
      v.nick = p.name + "-" + std::to_string(p.visits.size());
      co_await troupe::either(talk(*s, p, v, rt), listen(*s, p, v, rt));
      p.done = v.hung_up && p.own >= lines;
    }
    co_await troupe::sleep_for(100ms);
  }
}

/// Joins, and then only reads.
task<void> lurk(troupe::ip_endpoint server) {
  auto s = co_await tcp_stream::connect(server, 5s);
  if (!s) co_return;
  const bool greeted = co_await write(*s, "/nick lurker\n/join tea");
  if (!greeted) co_return;
  std::byte unheard[64];
  for (;;) {
    const auto n = co_await s->read_some(unheard);
    if (!n || *n == 0) co_return;
  }
}

// -- the world ------------------------------------------------------------------------------------

struct world {
  explicit world(std::uint64_t seed)
      : rt({.seed = seed, .max_slice_time = seed % 2 == 0 ? duration(100us) : duration()}),
        roomy(rt.random() % 3 != 0),
        net(rt, links()),
        server(net, roomy ? 8000 : 4 + static_cast<std::uint32_t>(rt.random() % 8)) {
    for (int i = 0; i < people; ++i) {
      person& p = all.emplace_back(net, std::string(1, static_cast<char>('a' + i)));
      if (rt.random() % 3 == 0) p.hesitation = 1 + rt.random() % 1'000'000'000;
    }
  }

  troupe::sim::network_options links() {
    const auto up_to = [&](double most) { return most * static_cast<double>(rt.random() % 1000) / 1000; };
    return {.link = {.latency = duration(rt.random() % 20'000'000),
                     .jitter = duration(rt.random() % 20'000'000),
                     .loss = rt.random() % 2 == 0 ? up_to(0.1) : 0,
                     .reset = rt.random() % 4 == 0 ? up_to(0.01) : 0},
            .split = up_to(1),
            .segment = 50 + rt.random() % 2000,
            .receive_buffer = 1000 + rt.random() % (roomy ? 64'000 : 1'000),
            .send_buffer = 1000 + rt.random() % (roomy ? 64'000 : 1'000),
            .give_up = 60s};
  }

  void enter(person& p) { p.host.spawn(chat_along(server.host().endpoint(7010), p, rt)); }
  [[nodiscard]] bool all_done() const {
    return std::ranges::all_of(all, [](const person& p) { return p.done; });
  }
  void advance_until(const std::function<bool()>& holds) {
    for (int i = 0; i < 600 && !holds(); ++i) rt.advance(1s);
    REQUIRE(holds());
  }

  std::deque<person> all;  // before the runtime, whose tasks refer to them
  troupe::sim::runtime rt;
  // Each mailbox has room for all lines; otherwise a slow reader would miss some.
  bool roomy;
  troupe::sim::network net;
  server_machine server;
  bool stopped = false;
};

void one_fault(world& w, person& p) {
  switch (w.rt.random() % 7) {
    case 0:
      return w.net.partition(w.server.host(), p.host);
    case 1:
      return w.net.partition_one_way(w.server.host(), p.host);
    case 2:
      return w.net.partition_one_way(p.host, w.server.host());
    case 3:
      return w.net.reset_connections(w.server.host(), p.host);
    case 4:
      return p.host.crash();
    case 5:
      return w.server.crash();
    default:
      return;
  }
}

void repair(world& w, person& p) {
  w.net.heal(w.server.host(), p.host);
  if (!w.server.is_up()) w.server.boot();
  if (p.host.is_up()) return;
  p.host.restart();
  w.enter(p);
}

// -- the checks -----------------------------------------------------------------------------------

// 0: not a notice of missed lines.
std::size_t missed(const std::string& heard) {
  if (!heard.starts_with("(") || !heard.ends_with(" lines missed)")) return 0;
  return std::stoul(heard.substr(1));
}

/// Checks that the lines of each nick are there in order, from the first line on, once each.
void require_whole(const chronicle& c, const std::string& nick) {
  int number = 0;
  for (const std::string& text : c) {
    if (text.starts_with(nick + ": ")) REQUIRE(text == said(nick, number++));
  }
}

void require_true(const visit& v, const world& w) {
  INFO(v.nick);
  const auto& all = w.server.chronicles();
  const auto came = [&](const chronicle& c) { return std::ranges::find(c, v.nick + " has come"); };
  const auto c = std::ranges::find_if(all, [&](const chronicle& i) { return came(i) != i.end(); });
  if (c == all.end()) {
    REQUIRE(v.heard.empty());
    return;
  }
  require_whole(*c, v.nick);
  auto now = came(*c) + 1;
  for (const std::string& text : v.heard) {
    const std::size_t n = missed(text);
    REQUIRE((n == 0 || !w.roomy));
    REQUIRE(n <= static_cast<std::size_t>(c->end() - now));
    if (n == 0) {
      REQUIRE(now != c->end());
      REQUIRE(text == *now);
    }
    now += n == 0 ? 1 : static_cast<std::ptrdiff_t>(n);
  }
  // A client that stayed to the end has received all lines since. When the server stops, all leave at once.
  if (!v.hung_up || !w.roomy) return;
  const std::string own_end = v.nick + " has left";
  while (w.stopped && now != c->end() && *now != own_end && now->ends_with(" has left")) ++now;
  REQUIRE(now != c->end());
  REQUIRE(*now == own_end);
}

void require_true(const world& w) {
  for (const person& p : w.all) {
    for (const visit& v : p.visits) require_true(v, w);
  }
}

void run(std::uint64_t seed) {
  world w(seed);
  w.server.boot();
  for (person& p : w.all) w.enter(p);
  for (int i = 0; i < 8; ++i) {
    person& p = w.all[w.rt.random() % w.all.size()];
    w.rt.advance(duration(w.rt.random() % 500'000'000));
    one_fault(w, p);
    w.rt.advance(duration(w.rt.random() % (i % 4 == 0 ? 90'000'000'000 : 5'000'000'000)));
    repair(w, p);
  }
  w.advance_until([&] { return w.all_done(); });
  require_true(w);

  // All clients have gone: only the listener is left.
  const auto is_empty = [&] { return w.net.open_sockets() == 1; };
  w.advance_until(is_empty);
  for (person& p : w.all) w.net.set_link(w.server.host(), p.host, {});  // from here on without faults

  // A client that vanishes is noticed, too, even if no line is sent to it.
  w.all[2].host.spawn(lurk(w.server.host().endpoint(7010)));
  w.advance_until([&] { return w.net.open_sockets() == 3; });
  w.rt.advance(1min);
  w.all[2].host.crash();
  w.advance_until(is_empty);

  // An orderly stop, with clients in the room.
  for (person* p : {&w.all[0], &w.all[1]}) {
    p->done = false;
    p->stays = true;
    p->own = 0;
    p->hesitation = 0;
    w.enter(*p);
  }
  w.advance_until([&] { return w.all[0].own >= lines && w.all[1].own >= lines; });
  w.rt.advance(5s);  // so that all lines have arrived
  // From now on there are always unread bytes, which must not turn orderly closes into resets.
  w.all[0].asks = w.all[1].asks = true;
  w.rt.advance(300ms);
  w.stopped = true;
  w.server.begin_stop();
  w.advance_until([&] { return w.server.has_stopped() && w.all_done(); });
  require_true(w);
  REQUIRE(w.net.open_sockets() == 0);
  w.server.crash();
  REQUIRE(w.rt.run_to_end(1h));
}

}  // namespace

TEST_CASE(
    "chat on a simulated network: under every fault no client hangs, and one that stays receives all lines") {
  troupe::testkit::for_each_seed(seeds, run);
}
