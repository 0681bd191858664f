// tcp_client: an actor that reconnects.
#include "transport/examples/server_under_test.hpp"

#include <troupe/actors/testkit.hpp>

using namespace troupe_test;
using troupe::context;
using troupe::send_result;
using troupe::task;
using troupe::tcp_client_options;
using troupe::tcp_down;
using troupe::tcp_received;
using troupe::tcp_send;
using troupe::tcp_stream;
using troupe::tcp_up;
using troupe::until_stopped;
using troupe::testkit::probe;

namespace {

tcp_send message(std::string_view text) {
  const auto bytes = bytes_of(text);
  return {{bytes.begin(), bytes.end()}};
}

/// The first `size` received bytes.
std::string expect_bytes(probe<tcp_received>& p, std::size_t size) {
  std::string all;
  while (all.size() < size) all += text_of(p.expect<tcp_received>(60s).bytes);
  return all;
}

constexpr troupe::backoff quick{.initial = 5ms, .max = 20ms};

struct setup {
  explicit setup(troupe::ip_endpoint to, std::uint32_t capacity = 16) {
    client = sys.spawn(troupe::tcp_client, {.mailbox = {.capacity = capacity}},
                       tcp_client_options{.connect = to,
                                          .reconnect = quick,
                                          .consumer = consumer.ref(),
                                          .observer = observer.ref(),
                                          .monitor = monitor});
  }
  troupe::endpoint_monitor monitor;
  troupe::system sys{{.workers = 2, .log = &troupe::silent_log()}};
  probe<tcp_received> consumer{sys};
  probe<tcp_up, tcp_down> observer{sys};
  troupe::ref<tcp_send> client;
};

}  // namespace

TEST_CASE("tcp_client: it sends its messages, and passes received bytes on") {
  running_server<echo> s({});
  setup t(*s.server.local_endpoint());
  CHECK(t.observer.expect<tcp_up>(60s).connection == 1);
  REQUIRE(t.client.tell(message("hello ")) == send_result::ok);
  REQUIRE(t.client.tell(message("world")) == send_result::ok);
  CHECK(expect_bytes(t.consumer, 11) == "hello world");
  REQUIRE(becomes_true([&] { return t.monitor.read().bytes_in == 11; }));
  CHECK(t.monitor.read().bytes_out == 11);
  CHECK(t.monitor.read().accepted == 1);
}

TEST_CASE("tcp_client: while it is down its mailbox is the queue, and a full one refuses") {
  std::optional<running_server<echo>> s(std::in_place, troupe::tcp_server_options{});
  const troupe::ip_endpoint at = *s->server.local_endpoint();
  setup t(at, 4);
  (void)t.observer.expect<tcp_up>(60s);
  REQUIRE(becomes_true(
      [&] { return s->figures().active == 1; }));  // a listener resets connections it has not accepted
  s.reset();
  const tcp_down down = t.observer.expect<tcp_down>(60s);
  INFO(down.why.to_string());
  CHECK(down.why.to_string().find("the peer has ended the connection") != std::string::npos);
  // One message has been taken out of the mailbox, and four are in it.
  int taken = 0;
  REQUIRE(becomes_true([&] {
    while (taken < 5 && t.client.tell(message(std::to_string(taken))) == send_result::ok) ++taken;
    return taken == 5;
  }));
  CHECK(t.client.tell(message("no")) == send_result::full);
  const tcp_down refused = t.observer.expect<tcp_down>(60s);
  CHECK(refused.why.to_string().find("nothing listens there") != std::string::npos);
  s.emplace(troupe::tcp_server_options{.listen = at});
  CHECK(expect_bytes(t.consumer, 5) == "01234");
  const auto m = t.monitor.read();
  CHECK(m.reconnects == 1);
  CHECK(m.failures >= 1);
  CHECK(m.dropped == 0);
}

TEST_CASE("tcp_client: a name is resolved for each attempt, so the client follows a changed address") {
  running_server<echo> s({});
  troupe::table_resolver names;
  names.set("upstream.test", {must(troupe::ip_endpoint::parse("127.0.0.9:0"))});  // no listener there
  troupe::system sys({.workers = 2, .log = &troupe::silent_log()});
  probe<tcp_received> consumer(sys);
  probe<tcp_up, tcp_down> observer(sys);
  const auto client =
      sys.spawn(troupe::tcp_client, {},
                tcp_client_options{.connect = troupe::ip_endpoint::any(static_cast<std::uint16_t>(s.port())),
                                   .host = "upstream.test",
                                   .resolver = &names,
                                   .reconnect = quick,
                                   .consumer = consumer.ref(),
                                   .observer = observer.ref()});
  CHECK(observer.expect<tcp_down>(60s).why.to_string().find("127.0.0.9") != std::string::npos);
  names.set("upstream.test", {troupe::ip_endpoint::loopback()});
  REQUIRE(client.tell(message("moved")) == send_result::ok);
  CHECK(expect_bytes(consumer, 5) == "moved");
  for (;;) {
    try {
      CHECK(observer.expect<tcp_up>(60s).peer == *s.server.local_endpoint());
      break;
    } catch (const troupe::testkit::failure&) {
      continue;  // a tcp_down before it
    }
  }
  CHECK(sys.shutdown());
}

TEST_CASE("tcp_client: it reconnects after each loss, and sends nothing twice") {
  running_server<echo> s({});
  setup t(*s.server.local_endpoint());
  for (int round = 1; round <= 10; ++round) {
    std::uint64_t up = 0;
    while (up < static_cast<std::uint64_t>(round)) {
      try {
        up = t.observer.expect<tcp_up>(60s).connection;
      } catch (const troupe::testkit::failure&) {
        continue;  // a tcp_down in between
      }
    }
    const std::string text = "round " + std::to_string(round);
    REQUIRE(t.client.tell(message(text)) == send_result::ok);
    REQUIRE(expect_bytes(t.consumer, text.size()) == text);
    REQUIRE(t.client.tell(message("!")) == send_result::ok);
  }
  t.consumer.expect_nothing_for(50ms);
  CHECK(t.monitor.read().reconnects >= 9);
}

namespace {

struct slow_consumer {
  using accepts = troupe::protocol<tcp_received>;
  explicit slow_consumer(std::atomic<std::size_t>* t) : total(t) {}
  task<void> handle(tcp_received m) {
    total->fetch_add(m.bytes.size());
    co_await troupe::sleep_for(1ms);
  }
  std::atomic<std::size_t>* total;
};

/// Sends as fast as it can.
struct torrent {
  explicit torrent(std::atomic<std::size_t>* s) : sent(s) {}
  task<void> run(context& ctx, tcp_stream peer) {
    std::vector<std::byte> chunk(65536);
    while (co_await until_stopped(ctx, peer.write_all(chunk))) sent->fetch_add(chunk.size());
  }
  std::atomic<std::size_t>* sent;
};

}  // namespace

TEST_CASE("tcp_client: a slow consumer slows down the peer") {
  std::atomic<std::size_t> sent{0};
  std::atomic<std::size_t> taken{0};
  running_server<torrent> s({.connection = {.send_buffer = 65536}, .drain = 100ms}, &sent);
  troupe::system sys({.workers = 1, .log = &troupe::silent_log()});
  const auto consumer = sys.spawn<slow_consumer>({.mailbox = {.capacity = 4}}, &taken);
  const auto client = sys.spawn(troupe::tcp_client, {},
                                tcp_client_options{.connect = *s.server.local_endpoint(),
                                                   .connection = {.receive_buffer = 65536},
                                                   .consumer = consumer});
  REQUIRE(becomes_true([&] { return taken > 100 * 4096; }));
  // Bytes in flight are bounded by the buffers: two in the kernel, 4 messages, one chunk being sent.
  CHECK(sent < taken + 2'000'000);  // a write that is under way is not counted yet
}

namespace {

/// Sends unrequested bytes until the end, then the number of bytes received.
struct accountant {
  task<void> run(context&, tcp_stream peer) {
    std::size_t all = 0;
    std::array<std::byte, 64> chunk;
    for (;;) {
      const auto got = co_await peer.read_some(chunk);
      if (!got) co_return;
      if (*got == 0) break;
      all += *got;
      (void)co_await peer.write_all(bytes_of("."));
    }
    (void)co_await peer.write_all(bytes_of(std::to_string(all)));
  }
};

/// Reads, and never sends or ends its half.
struct wall {
  task<void> run(context&, tcp_stream peer) {
    std::array<std::byte, 64> chunk;
    for (;;) {
      const auto got = co_await peer.read_some(chunk);
      if (!got || *got == 0) co_await troupe::sleep_for(1h);
    }
  }
};

constexpr troupe::mailbox_options draining{.when_stopped = troupe::on_stop::drain};

}  // namespace

TEST_CASE("tcp_client: told to stop with drain, it sends its queue and reads to the end") {
  running_server<accountant> s({});
  troupe::system sys({.workers = 2, .log = &troupe::silent_log()});
  const troupe::endpoint_monitor monitor;
  probe<tcp_received> consumer(sys);
  const auto client = sys.spawn(troupe::tcp_client, {.mailbox = draining},
                                tcp_client_options{.connect = *s.server.local_endpoint(),
                                                   .consumer = consumer.ref(),
                                                   .close_deadline = 60s,
                                                   .monitor = monitor});
  for (int i = 0; i < 100; ++i) REQUIRE(client.tell(message("x")) == send_result::ok);
  sys.stop(client);
  std::string heard;
  while (heard.find("100") == heard.npos) heard += text_of(consumer.expect<tcp_received>(60s).bytes);
  CHECK(heard.find_first_not_of('.') == heard.size() - 3);
  REQUIRE(becomes_true([&] { return client.ended(); }));
  // Both sides ended in order, and both have counted it.
  CHECK(becomes_true([&] { return s.figures().active == 0; }));
  CHECK(s.figures().bytes_in == 100);
  CHECK(s.figures().closed.error == 0);
  CHECK(monitor.read().active == 0);
  CHECK(monitor.read().closed.drain == 1);
}

TEST_CASE("tcp_client: a peer that does not end its half is not waited for longer than close_deadline") {
  running_server<wall> s({.drain = 0s});
  troupe::system sys({.workers = 2, .log = &troupe::silent_log()});
  const auto client =
      sys.spawn(troupe::tcp_client, {.mailbox = draining, .shutdown = 1h},
                tcp_client_options{.connect = *s.server.local_endpoint(), .close_deadline = 20ms});
  REQUIRE(client.tell(message("x")) == send_result::ok);
  REQUIRE(becomes_true([&] { return s.figures().bytes_in == 1; }));
  sys.stop(client);
  CHECK(becomes_true([&] { return client.ended(); }));
}
