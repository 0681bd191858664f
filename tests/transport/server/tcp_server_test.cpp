// tcp_server: connections as supervised actors, their limits and their ends.
#include "transport/examples/server_under_test.hpp"

#include <troupe/actors/testkit.hpp>

using namespace troupe_test;
using troupe::context;
using troupe::result;
using troupe::task;
using troupe::tcp_stream;
using troupe::until_stopped;

namespace {

/// Sends each line back, reversed.
struct reverser {
  task<result<std::size_t>> on_data(std::span<const std::byte> data, tcp_stream& peer) {
    const std::string text = text_of(data);
    const std::size_t end = text.find('\n');
    if (end == text.npos) co_return 0;
    const std::string reply = std::string(text.rend() - static_cast<std::ptrdiff_t>(end), text.rend()) + "\n";
    if (auto sent = co_await peer.write_all(bytes_of(reply)); !sent) co_return std::unexpected(sent.error());
    co_return end + 1;
  }
};

struct note {
  std::string text;
};

/// Sends the messages in its inbox to its client; enters its own ref into a list.
struct postbox {
  struct list {
    std::mutex lock;
    std::vector<troupe::ref<note>> members;
  };
  explicit postbox(std::shared_ptr<list> l) : members(std::move(l)) {}
  task<void> run(context&, tcp_stream peer, troupe::inbox<note> in) {
    {
      const std::scoped_lock guard(members->lock);
      members->members.push_back(in.self());
    }
    for (;;) {
      const auto m = co_await in.receive();
      if (!co_await peer.write_all(bytes_of(std::get<note>(m).text))) co_return;
    }
  }
  std::shared_ptr<list> members;
};

/// Executes the client's one-letter commands.
struct obedient {
  task<void> run(context& ctx, tcp_stream peer) {
    std::array<std::byte, 64> chunk;
    for (;;) {
      const auto got = co_await until_stopped(ctx, peer.read_some(chunk));
      if (!got || *got == 0) co_return;
      switch (static_cast<char>(chunk[0])) {
        case 'c':
          throw std::runtime_error("told to crash");
        case 'q':
          co_return;
        case 'w':  // a request that takes its time
          (void)co_await peer.write_all(bytes_of("working\n"));
          co_await troupe::sleep_for(300ms);
          (void)co_await peer.write_all(bytes_of("done\n"));
          break;
        case 'p':
          (void)co_await peer.read_some(chunk);
          peer.set_read_deadline(troupe::forever);
          (void)co_await peer.write_all(bytes_of("patient\n"));
          break;
        case 'h':  // one that never ends
          (void)co_await peer.write_all(bytes_of("working\n"));
          co_await troupe::sleep_for(1h);
          break;
        default:
          (void)co_await peer.write_all(bytes_of("?\n"));
      }
    }
  }
};

struct refusing {
  refusing() { throw std::runtime_error("no more of these"); }
  task<void> run(context&, tcp_stream) { co_return; }
};

}  // namespace

TEST_CASE("tcp_server: connections are served concurrently, and counted") {
  running_server<echo> s({});
  std::vector<blocking_client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(s.connect());
  for (auto& c : clients) REQUIRE(c.send("hello"));
  for (auto& c : clients) REQUIRE(c.receive(5) == "hello");
  const auto m = s.figures();
  CHECK(m.accepted == 20);
  CHECK(m.active == 20);
  clients.clear();
  REQUIRE(becomes_true([&] { return s.figures().active == 0; }));
  CHECK(s.figures().bytes_in == 100);
  CHECK(s.figures().bytes_out == 100);
  CHECK(s.figures().closed.peer == 20);
  s.stop();
  CHECK(s.figures().closed.sum() == 20);
}

TEST_CASE("tcp_server: a consumer of data gets whole messages, in whatever pieces they arrive") {
  running_server<reverser> s({.max_message = 100});
  auto c = s.connect();
  REQUIRE(c.send("abc\nde"));
  CHECK(c.receive_line() == "cba\n");
  REQUIRE(c.send("f\nx\ny\n"));
  CHECK(c.receive_line() == "fed\n");
  CHECK(c.receive_line() == "x\n");
  CHECK(c.receive_line() == "y\n");
  auto talker = s.connect();
  REQUIRE(talker.send(std::string(200, 'x')));
  CHECK(talker.rest().empty());  // too long: disconnected
  CHECK(c.send("still\n"));
  CHECK(c.receive_line() == "llits\n");
}

TEST_CASE("tcp_server: a message that is too slow or too long ends the connection; a silent client is kept") {
  running_server<reverser> s({.message_deadline = 100ms});
  blocking_client silent = s.connect();
  blocking_client slow = s.connect();
  REQUIRE(becomes_true([&] {
    std::this_thread::sleep_for(10ms);
    return !slow.send("x");
  }));
  blocking_client chatty = s.connect();
  chatty.send(std::string(100'000, 'x'));
  CHECK(chatty.rest().empty());
  CHECK(becomes_true([&] { return s.figures().active == 1; }));
  REQUIRE(silent.send("still here\n"));
  CHECK(silent.receive_line() == "ereh llits\n");
}

TEST_CASE("tcp_server: a connection with an inbox is an actor that others write to") {
  const auto list = std::make_shared<postbox::list>();
  running_server<postbox> s({}, list);
  auto c = s.connect();
  REQUIRE(becomes_true([&] {
    const std::scoped_lock guard(list->lock);
    return list->members.size() == 1;
  }));
  REQUIRE(list->members[0].tell(note{"hello\n"}) == troupe::send_result::ok);
  CHECK(c.receive_line() == "hello\n");
  s.stop();
  CHECK(c.rest().empty());
  CHECK(list->members[0].tell(note{"late\n"}) == troupe::send_result::closed);
  list->members.clear();
  CHECK(s.figures().closed.drain == 1);
}

TEST_CASE("tcp_server: over the limit clients wait, and all are served") {
  running_server<echo> s({.max_connections = 3});
  std::vector<std::thread> crowd;
  std::atomic<int> served{0};
  std::atomic<std::uint64_t> most{0};
  for (int i = 0; i < 8; ++i) {
    crowd.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        auto c = s.connect();
        if (!c.send("x") || c.receive(1) != "x") continue;
        served.fetch_add(1);
        std::uint64_t seen = most.load();
        const std::uint64_t now = s.figures().active;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
      }
    });
  }
  for (auto& t : crowd) t.join();
  CHECK(served == 200);
  CHECK(most <= 3);
  CHECK(s.figures().refused == 0);
}

TEST_CASE("tcp_server: over the limit clients are sent the refusal with over_limit::refuse") {
  running_server<echo> s(
      {.max_connections = 2, .on_limit = troupe::over_limit::refuse, .refusal = "too many of you\r\n"});
  std::vector<blocking_client> in;
  for (int i = 0; i < 2; ++i) {
    in.push_back(s.connect());
    REQUIRE(in.back().send("x"));
    REQUIRE(in.back().receive(1) == "x");
  }
  auto late = s.connect();
  CHECK(late.rest() == "too many of you\r\n");
  CHECK(s.figures().refused == 1);
  in.pop_back();
  REQUIRE(becomes_true([&] { return s.figures().active == 1; }));
  auto next = s.connect();
  REQUIRE(next.send("y"));
  CHECK(next.receive(1) == "y");
}

TEST_CASE("tcp_server: servers that share a limit together stay within it, and all clients are served") {
  const auto limit = troupe::connection_limit::shared(3);
  const troupe::endpoint_monitor monitor;
  const troupe::tcp_server_options options{.max_connections = limit, .monitor = monitor};
  const std::array servers{troupe::tcp_server<echo>("a", options), troupe::tcp_server<echo>("b", options)};
  troupe::system sys({.workers = 2});
  const auto top = sys.start(troupe::supervisor("app").child(servers[0]).child(servers[1]));
  REQUIRE(top);
  std::vector<std::thread> crowd;
  std::atomic<int> served{0};
  std::atomic<std::uint64_t> most{0};
  for (std::size_t i = 0; i < 8; ++i) {
    crowd.emplace_back([&, port = servers[i % 2].local_endpoint().value().port()] {
      for (int round = 0; round < 25; ++round) {
        blocking_client c(port);
        if (!c.send("x") || c.receive(1) != "x") continue;
        served.fetch_add(1);
        std::uint64_t seen = most.load();
        const std::uint64_t now = monitor.read().active;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
      }
    });
  }
  for (auto& t : crowd) t.join();
  CHECK(served == 200);
  CHECK(most <= 3);
  CHECK(monitor.read().accepted == 200);
  CHECK(servers[0].metrics().accepted == 200);
}

TEST_CASE("tcp_server: each of the servers that share a limit refuses clients beyond it") {
  const troupe::tcp_server_options options{.max_connections = troupe::connection_limit::shared(1),
                                           .on_limit = troupe::over_limit::refuse,
                                           .refusal = "full\r\n"};
  const troupe::tcp_server<echo> a("a", options);
  const troupe::tcp_server<echo> b("b", options);
  troupe::system sys({.workers = 2});
  REQUIRE(sys.start(troupe::supervisor("app").child(a).child(b)));
  blocking_client in(a.local_endpoint().value().port());
  REQUIRE(in.send("x"));
  REQUIRE(in.receive(1) == "x");
  CHECK(blocking_client(a.local_endpoint().value().port()).rest() == "full\r\n");
  CHECK(blocking_client(b.local_endpoint().value().port()).rest() == "full\r\n");
}

TEST_CASE("tcp_server: no more are accepted than the rate allows") {
  running_server<echo> s({.rate = {.per_second = 100, .burst = 5}});
  std::this_thread::sleep_for(50ms);  // an idle time allows no more than the burst
  const auto start = std::chrono::steady_clock::now();
  std::vector<blocking_client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(s.connect());
  for (auto& c : clients) {
    REQUIRE(c.send("x"));
    REQUIRE(c.receive(1) == "x");
  }
  // 5 at once, and 15 at intervals of at least 10 ms.
  CHECK(std::chrono::steady_clock::now() - start >= 149ms);
}

TEST_CASE("tcp_server: a connection that crashes affects no other") {
  running_server<obedient> s({});
  auto other = s.connect();
  for (int i = 0; i < 20; ++i) {  // far beyond any restart budget
    auto c = s.connect();
    REQUIRE(c.send("c"));
    REQUIRE(c.rest().empty());
  }
  REQUIRE(becomes_true([&] { return s.figures().closed.crash == 20; }));
  CHECK(becomes_true([&] { return s.log.count("told to crash") == 20; }));
  CHECK(s.log.count("restarted") == 0);
  REQUIRE(other.send("?"));
  CHECK(other.receive_line() == "?\n");
}

TEST_CASE("tcp_server: a connection whose constructor throws is closed, and the next one is accepted") {
  running_server<refusing> s({});
  for (int i = 0; i < 10; ++i) REQUIRE(s.connect().rest().empty());
  // Counted first and logged then, both after the client was disconnected.
  CHECK(becomes_true([&] { return s.log.count("no more of these") == 10; }));
  CHECK(s.figures().closed.crash == 10);
  CHECK(s.figures().active == 0);
}

TEST_CASE("tcp_server: it counts how each connection ended") {
  running_server<obedient> s({.connection = {.read_deadline = 100ms}});
  auto quits = s.connect();
  REQUIRE(quits.send("q"));
  CHECK(quits.rest().empty());
  auto silent = s.connect();
  CHECK(silent.rest().empty());
  auto late = s.connect();
  REQUIRE(late.send("p"));  // its deadline passes once, which is not a reason to end
  REQUIRE(late.receive_line() == "patient\n");
  REQUIRE(late.send("q"));
  CHECK(late.rest().empty());
  auto resets = s.connect();
  REQUIRE(resets.send("?"));
  REQUIRE(resets.receive_line() == "?\n");
  resets.reset();
  auto leaves = s.connect();
  REQUIRE(leaves.send("?"));
  REQUIRE(leaves.receive_line() == "?\n");
  leaves.close();
  REQUIRE(becomes_true([&] { return s.figures().active == 0; }));
  const auto m = s.figures().closed;
  CHECK(m.finished == 2);
  CHECK(m.idle == 1);
  CHECK(m.error == 1);
  CHECK(m.peer == 1);
}

TEST_CASE("tcp_server: a stop lets the request in flight end, and closes idle connections at once") {
  running_server<obedient> s({.drain = 60s});
  auto idle = s.connect();
  REQUIRE(idle.send("?"));
  REQUIRE(idle.receive_line() == "?\n");
  auto busy = s.connect();
  REQUIRE(busy.send("w"));
  REQUIRE(busy.receive_line() == "working\n");
  const int port = s.port();
  s.begin_stop();
  CHECK(idle.rest().empty());
  REQUIRE(becomes_true([&] { return s.figures().active == 1; }));  // the busy one still is
  CHECK_FALSE(blocking_client(port).connected());
  CHECK(busy.rest() == "done\n");
  CHECK_FALSE(busy.was_reset());
  s.wait_for_end();
  CHECK(s.figures().closed.drain == 2);
}

TEST_CASE("tcp_server: connections still busy after the drain time are closed, which is not a failure") {
  running_server<obedient> s({.drain = 100ms});
  std::vector<blocking_client> hang;
  for (int i = 0; i < 10; ++i) {
    hang.push_back(s.connect());
    REQUIRE(hang.back().send("h"));
    REQUIRE(hang.back().receive_line() == "working\n");
  }
  s.stop();
  for (auto& c : hang) CHECK(c.rest().empty());
  CHECK(s.figures().closed.drain == 10);
  CHECK_FALSE(s.top.cell()->reason().abnormal());
  CHECK(s.sys.shutdown());
}

TEST_CASE("tcp_server: a port in use is a clear error, and no part of the tree runs") {
  const auto taken = listen_on_loopback();
  const troupe::ip_endpoint at = must(taken.local_endpoint());
  troupe::testkit::log_capture log;
  const troupe::tcp_server<echo> server("tcp", {.listen = at});
  troupe::system sys({.workers = 1, .log = &log});
  const auto started = sys.start(troupe::supervisor("app").child(server));
  REQUIRE_FALSE(started);
  const std::string text = started.error().to_string();
  INFO(text);
  CHECK(text.find("cannot listen at " + at.to_string()) != text.npos);
  CHECK(text.find("another socket has this port") != text.npos);
  CHECK_FALSE(server.local_endpoint());
  CHECK(sys.run(troupe::supervisor("app").child(server)) == 1);
  CHECK(log.count("another socket has this port") >= 1);
}

TEST_CASE("tcp_server: it accepts IPv4 and IPv6 with dual_stack, and shares its port with reuse_port") {
  running_server<echo> s({.listen = troupe::ip_endpoint::any_v6(0), .reuse_port = true, .dual_stack = true});
  running_server<echo> beside({.listen = *s.server.local_endpoint(), .reuse_port = true, .dual_stack = true});
  CHECK(beside.port() == s.port());
  troupe::runtime rt({.workers = 1});
  for (const auto& host : {"127.0.0.1", "::1"}) {
    CAPTURE(host);
    CHECK(rt.block_on(tcp_stream::connect(host, static_cast<std::uint16_t>(s.port()))));
  }
  REQUIRE(becomes_true([&] { return s.figures().accepted + beside.figures().accepted == 2; }));
}

TEST_CASE("tcp_server: max_connections of 0 is refused by name, and no part of the tree runs") {
  const troupe::tcp_server<echo> server("tcp", {.max_connections = 0});
  troupe::system sys({.workers = 1, .log = &troupe::silent_log()});
  const auto started = sys.start(troupe::supervisor("app").child(server));
  REQUIRE_FALSE(started);
  const std::string text = started.error().to_string();
  INFO(text);
  CHECK(text.find("/app/tcp/listener") != text.npos);
  CHECK(text.find("max_connections is 0") != text.npos);
  CHECK_FALSE(server.local_endpoint());
}

TEST_CASE("tcp_server: a restarted listener keeps its port, and the connections survive") {
  running_server<echo> s({});
  auto c = s.connect();
  REQUIRE(c.send("x"));
  REQUIRE(c.receive(1) == "x");
  const int port = s.port();
  const auto listener = s.sys.at<>("/tcp/listener");
  REQUIRE(listener);
  s.sys.kill(*listener);
  REQUIRE(becomes_true([&] { return s.log.count("restarted") == 1 && s.server.local_endpoint(); }));
  CHECK(s.port() == port);
  REQUIRE(c.send("y"));
  CHECK(c.receive(1) == "y");
  auto again = s.connect();
  REQUIRE(again.send("z"));
  CHECK(again.receive(1) == "z");
}

TEST_CASE("tcp_server: it can be started again after it has ended, and its metrics outlive it") {
  std::optional<troupe::tcp_server<echo>> server(std::in_place, "tcp");
  {
    troupe::system sys({.workers = 2});
    for (std::uint64_t round = 1; round <= 3; ++round) {
      const auto top = sys.start(*server);
      REQUIRE(top);
      blocking_client c(server->local_endpoint().value().port());
      REQUIRE(c.send("x"));
      REQUIRE(c.receive(1) == "x");
      sys.stop(*top);
      REQUIRE(becomes_true([&] { return top->ended(); }));
      CHECK_FALSE(server->local_endpoint());
      CHECK(server->metrics().accepted == round);
    }
  }
  CHECK(server->metrics().closed.drain == 3);
}
