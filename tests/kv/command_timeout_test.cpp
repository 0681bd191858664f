// The time limit for one command, on a simulated host, over TCP and TLS: a client that trickles a command is
// disconnected; a slow one, an idle one and one with many commands are not.
#include "kv/memory_files.hpp"
#include "kv/net/reply.hpp"
#include "kv/server.hpp"
#include "support/catch.hpp"
#include "support/certificates.hpp"

#include <troupe/actors.hpp>
#include <troupe/transport/sim_network.hpp>
#include <troupe/transport/tcp_stream.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using troupe::duration;
using troupe::task;

namespace {

enum class over : std::uint8_t { tcp, tls };

constexpr std::string_view told = "-ERR command not complete within 30 s (--command-timeout)";
constexpr std::string_view too_many = "-ERR max number of clients reached\r\n";

template <class T>
T must(troupe::result<T> r) {
  INFO((r ? std::string() : r.error().to_string()));
  REQUIRE(r);
  return std::move(*r);
}

// The contexts are created once, because that is costly.
const troupe::tls_context& server_side() {
  static const troupe::tls_context context =
      must(troupe::tls_context::server({.identity = troupe_test::certificates().identity("server")}));
  return context;
}
const troupe::tls_context& client_side() {
  static const troupe::tls_context context =
      must(troupe::tls_context::client({.ca = troupe_test::certificates().file("ca.crt")}));
  return context;
}

std::string request(const std::vector<std::string>& words) {
  std::string text;
  kv::reply::array(text, words.size());
  for (const std::string& w : words) kv::reply::bulk(text, w);
  return text;
}

/// The pieces that a client sends, and how long it still reads after the last one.
struct script {
  std::vector<std::string> pieces;
  duration pause;
  duration hears_on = 1s;
};

/// This many bytes of a command that does not end.
script trickle(std::size_t bytes, duration pause) {
  script s{.pieces = {"*2\r\n$4\r\nECHO\r\n$1000000\r\n"}, .pause = pause};
  s.pieces.resize(1 + bytes, "x");
  return s;
}

struct outcome {
  std::string heard;
  bool cut = false;  // the server has closed the connection
  duration lasted{};
};

/// Appends received bytes to `into` until the connection ends.
template <class Stream>
task<void> hear(Stream& s, std::string& into) {
  for (;;) {
    std::byte room[512];
    const auto n = co_await s.read_some(room);
    // A timeout ends this coroutine in the line above.
    if (!n && n.error() == troupe::errc::cancelled) co_await troupe::sleep_for(0s);
    if (!n || *n == 0) co_return;
    into.append(reinterpret_cast<const char*>(room), *n);
  }
}

template <class Stream>
task<outcome> play(Stream s, script what, const troupe::sim::runtime& rt) {
  outcome o;
  const auto start = rt.now();
  what.pieces.emplace_back();
  for (const std::string& piece : what.pieces) {
    const duration pause = &piece == &what.pieces.back() ? what.hears_on : what.pause;
    if (!co_await s.write_all(std::as_bytes(std::span(piece)))) o.cut = true;
    if (co_await troupe::with_timeout(hear(s, o.heard), pause)) o.cut = true;
    if (o.cut) break;
  }
  o.lasted = rt.now() - start;
  co_return o;
}

class world {
 public:
  explicit world(kv::server_options o = {}) : net_(rt), host_(net_, "server"), client_(net_, "client") {
    o.quiet = true;
    o.bind = host_.endpoint(0);
    o.tls = server_side();
    o.tls_port = 6380;
    o.shards = {.directory = "data", .count = 2, .fsync = kv::fsync_policy::always, .files = &disk_};
    server_ = std::make_shared<kv::server_state>(o);
    for (std::size_t shard = 0; shard < o.shards.count; ++shard) {
      auto loaded = kv::load_shard(o.shards, shard);
      REQUIRE(loaded);
      server_->loaded[shard] = std::move(*loaded);
    }
    system_.emplace(host_, troupe::system_options{.name = "kv", .log = &troupe::silent_log()});
    REQUIRE(system_->start(kv::server_tree(server_)));
  }
  ~world() {
    CHECK(stop());
    CHECK(rt.run_to_end(1h));
    CHECK(net_.open_sockets() == 0);
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  /// Starts a client that plays its script; its outcome is complete when the script has ended.
  std::shared_ptr<std::optional<outcome>> start(over how, script what) {
    auto into = std::make_shared<std::optional<outcome>>();
    client_.spawn(run(how, std::move(what), into));
    return into;
  }
  outcome play(over how, script what) {
    const auto o = start(how, std::move(what));
    for (int s = 0; s < 100'000 && !*o; ++s) rt.advance(1s);
    REQUIRE(*o);
    return **o;
  }

  std::uint64_t clients() const { return server_->clients.read().active; }
  /// True when all of it ended in order and in time.
  bool stop() { return system_->shutdown().has_value(); }

  troupe::sim::runtime rt;

 private:
  task<void> run(over how, script what, std::shared_ptr<std::optional<outcome>> into) {
    const std::uint16_t port = how == over::tls ? 6380 : 6379;
    auto plain = co_await troupe::tcp_stream::connect(host_.endpoint(port), 5s);
    if (!plain) co_return;
    if (how == over::tcp) {
      *into = co_await ::play(std::move(*plain), std::move(what), rt);
      co_return;
    }
    auto secret =
        co_await troupe::tls_stream::connect(std::move(*plain), client_side(), {.server_name = "localhost"});
    if (secret) *into = co_await ::play(std::move(*secret), std::move(what), rt);
  }

  kv_test::memory_files disk_;
  troupe::sim::network net_;
  troupe::sim::host host_;
  troupe::sim::host client_;
  std::shared_ptr<kv::server_state> server_;
  std::optional<troupe::system> system_;
};

}  // namespace

TEST_CASE(
    "command timeout: a client that trickles a command is told and disconnected, which frees its slot") {
  const over how = GENERATE(over::tcp, over::tls);
  kv::server_options options;
  options.max_clients = 1;
  world w(options);
  const auto slow_sender = w.start(how, trickle(600, 1s));
  w.rt.advance(25s);
  CHECK(w.clients() == 1);
  CHECK(w.play(over::tcp, {.pieces = {}, .pause = 0s}).heard == too_many);
  w.rt.advance(10s);
  REQUIRE(*slow_sender);
  CHECK((*slow_sender)->cut);
  CHECK_THAT((*slow_sender)->heard, Catch::StartsWith(std::string(told)) && Catch::EndsWith("\r\n"));
  CHECK((*slow_sender)->lasted >= 30s);
  CHECK((*slow_sender)->lasted < 33s);
  CHECK(w.clients() == 0);
  CHECK(w.play(how, {.pieces = {request({"PING"})}, .pause = 1s}).heard == "+PONG\r\n");
}

TEST_CASE("command timeout: it holds for an unfinished inline command and an unfinished header, too") {
  world w;
  for (const std::string begin : {"P", "*", "*2\r\n$4\r\nECHO\r\n$"}) {
    CAPTURE(begin);
    const outcome o = w.play(over::tcp, {.pieces = {begin}, .pause = 0s, .hears_on = 1min});
    CHECK(o.cut);
    CHECK_THAT(o.heard, Catch::StartsWith(std::string(told)));
  }
}

TEST_CASE("command timeout: a command that is slow but complete in time is served") {
  const over how = GENERATE(over::tcp, over::tls);
  world w;
  script slow{.pieces = {}, .pause = 1s};
  for (const char c : request({"ECHO", "x"})) slow.pieces.emplace_back(1, c);
  REQUIRE(slow.pieces.size() < 29);
  const outcome o = w.play(how, slow);
  CHECK(o.heard == "$1\r\nx\r\n");
  CHECK_FALSE(o.cut);
}

TEST_CASE("command timeout: each command of a pipeline has the full time") {
  const over how = GENERATE(over::tcp, over::tls);
  world w;
  const std::string ping = request({"PING"});
  // The end of one command and the start of the next arrive together, 20 s after the previous piece.
  script s{.pieces = {ping.substr(0, 5)}, .pause = 20s, .hears_on = 1min};
  for (int i = 0; i < 9; ++i) s.pieces.push_back(ping.substr(5) + ping + ping.substr(0, 5));
  const outcome o = w.play(how, s);
  std::string expected;
  for (int i = 0; i < 18; ++i) expected += "+PONG\r\n";
  CHECK_THAT(o.heard, Catch::StartsWith(expected + std::string(told)));
  CHECK(o.cut);  // the last was never completed
  CHECK(o.lasted >= 9 * 20s + 30s);
  CHECK(o.lasted < 9 * 20s + 33s);
}

TEST_CASE("command timeout: a client between two commands is not disconnected") {
  const over how = GENERATE(over::tcp, over::tls);
  world w;
  const outcome o = w.play(how, {.pieces = {"", request({"PING"}), "\r\n", request({"PING"})}, .pause = 1h});
  CHECK(o.heard == "+PONG\r\n+PONG\r\n");
  CHECK_FALSE(o.cut);
}

TEST_CASE("command timeout: 0 means no limit") {
  kv::server_options options;
  options.command_timeout = 0s;
  world w(options);
  const outcome o = w.play(over::tcp, trickle(100, 1min));
  CHECK(o.heard.empty());
  CHECK_FALSE(o.cut);
}

TEST_CASE("command timeout: a client that stops inside a command is disconnected by a shorter idle timeout") {
  const over how = GENERATE(over::tcp, over::tls);
  kv::server_options options;
  options.idle_timeout = 5s;
  world w(options);
  const outcome o = w.play(how, {.pieces = {"*1\r\n", "$4"}, .pause = 4s, .hears_on = 1min});
  CHECK(o.cut);
  CHECK(o.heard.empty());
  CHECK(o.lasted < 11s);
}

TEST_CASE("command timeout: a server that stops does not wait for the rest of a command") {
  const over how = GENERATE(over::tcp, over::tls);
  world w;
  const auto slow_sender = w.start(how, trickle(600, 1s));
  w.rt.advance(5s);
  const auto before = w.rt.now();
  CHECK(w.stop());
  CHECK(w.rt.now() - before < 1s);
  w.rt.advance(2s);
  REQUIRE(*slow_sender);
  CHECK((*slow_sender)->cut);
  CHECK((*slow_sender)->heard.empty());
}
