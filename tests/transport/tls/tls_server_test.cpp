// tls_server: the handshake of its connections, and untrusted clients that fail it.
#include "transport/examples/server_under_test.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <troupe/actors/testkit.hpp>

#include <future>

using namespace troupe_test;
using troupe::context;
using troupe::task;
using troupe::tls_stream;

namespace {

/// Sends the client's name, and then echoes.
struct secure_echo {
  task<void> run(context& ctx, tls_stream peer) {
    const auto who = peer.peer_certificate();
    (void)co_await peer.write_all(bytes_of(who ? who->subject + "\n" : std::string("anonymous\n")));
    std::array<std::byte, 1024> chunk;
    for (;;) {
      const auto got = co_await troupe::until_stopped(ctx, peer.read_some(chunk));
      if (!got || *got == 0) break;
      if (!co_await peer.write_all(std::span(chunk).first(*got))) co_return;
    }
    (void)co_await peer.shutdown_write();
  }
};

struct word {
  std::string text;
};

/// Sends the messages in its inbox to its client; enters its own ref into a list.
struct secure_postbox {
  secure_postbox(context& ctx, const std::shared_ptr<std::promise<std::string>>& path) {
    path->set_value(ctx.path());
  }
  task<void> run(context&, tls_stream peer, troupe::inbox<word> in) {
    for (;;) {
      const auto m = co_await in.receive();
      if (!co_await peer.write_all(bytes_of(std::get<word>(m).text))) co_return;
    }
  }
};

/// Sends each complete line back.
struct secure_lines {
  task<troupe::result<std::size_t>> on_data(std::span<const std::byte> data, tls_stream& peer) {
    const std::string text = text_of(data);
    const std::size_t n = text.find('\n') + 1;
    if (n == 0) co_return 0U;
    if (auto sent = co_await peer.write_all(data.first(n)); !sent) co_return std::unexpected(sent.error());
    co_return n;
  }
};

template <class T>
struct running_tls_server : running<troupe::tls_server<T>> {
  template <class... Args>
  explicit running_tls_server(const troupe::tls_context& context, troupe::tcp_server_options options = {},
                              Args... args)
      : running<troupe::tls_server<T>>(
            troupe::tls_server<T>("tcp", context, std::move(options), std::move(args)...)) {}
};

troupe::tls_context for_known_clients() {
  return server_context({.client_ca = certificates().file("ca.crt")});
}

/// A client with its own runtime.
class tls_client {
 public:
  explicit tls_client(int port, const troupe::tls_context& context = client_context()) {
    stream_ = rt_.block_on(
        [](troupe::ip_endpoint to, troupe::tls_context with) -> task<troupe::result<tls_stream>> {
          auto socket = co_await troupe::tcp_stream::connect(to);
          if (!socket) co_return std::unexpected(socket.error());
          co_return co_await tls_stream::connect(std::move(*socket), with, {.server_name = "localhost"});
        }(troupe::ip_endpoint::loopback(static_cast<std::uint16_t>(port)), context));
  }
  [[nodiscard]] bool connected() const { return stream_.has_value(); }
  bool send(std::string_view text) { return rt_.block_on(stream_->write_all(bytes_of(text))).has_value(); }
  /// The next bytes; "end" at the end, "error" when the connection has failed.
  std::string receive() {
    std::array<std::byte, 1024> chunk;
    const auto got = rt_.block_on(stream_->read_some(chunk));
    if (!got) return "error";
    return *got == 0 ? "end" : text_of(std::span(chunk).first(*got));
  }
  /// The next `size` bytes, or fewer at the end.
  std::string receive(std::size_t wanted) {
    std::string all;
    while (all.size() < wanted) {
      const std::string more = receive();
      if (more == "end" || more == "error") break;
      all += more;
    }
    return all;
  }

 private:
  troupe::runtime rt_{{.workers = 1}};
  troupe::result<tls_stream> stream_ = std::unexpected(troupe::error(troupe::errc::not_running));
};

}  // namespace

TEST_CASE("tls_server: connections are served over TLS, and counted") {
  running_tls_server<secure_echo> s(server_context());
  tls_client c(s.port());
  REQUIRE(c.connected());
  CHECK(c.receive() == "anonymous\n");
  REQUIRE(c.send("hello"));
  CHECK(c.receive() == "hello");
  CHECK(s.figures().active == 1);
  CHECK(s.figures().bytes_in > 5);
  s.stop();
  CHECK(c.receive() == "end");
  CHECK(s.figures().closed.drain == 1);
}

TEST_CASE("tls_server: a consumer gets decrypted bytes, and drains between two messages") {
  running_tls_server<secure_lines> s(server_context());
  tls_client c(s.port());
  REQUIRE(c.connected());
  REQUIRE(c.send("one\ntw"));
  CHECK(c.receive() == "one\n");
  REQUIRE(c.send("o\nthree\n"));
  CHECK(c.receive(10) == "two\nthree\n");
  const std::string longest = std::string(40'000, 'x') + "\n";  // several records, and several reads
  REQUIRE(c.send(longest));
  CHECK(c.receive(longest.size()) == longest);
  s.stop();
  CHECK(c.receive() == "end");
  CHECK(s.figures().closed.drain == 1);
}

TEST_CASE("tls_server: a consumer's message is limited in time and size") {
  running_tls_server<secure_lines> s(server_context(), {.max_message = 100, .message_deadline = 200ms});
  tls_client slow(s.port());
  REQUIRE(slow.connected());
  REQUIRE(slow.send("whole\nhal"));
  CHECK(slow.receive() == "whole\n");
  CHECK(slow.receive() == "end");
  REQUIRE(becomes_true([&] { return s.figures().closed.idle == 1; }));
  tls_client much(s.port());
  REQUIRE(much.connected());
  REQUIRE(much.send(std::string(101, 'x')));
  CHECK(much.receive() == "end");
  REQUIRE(becomes_true([&] { return s.figures().active == 0; }));
  CHECK(s.figures().closed.finished == 1);
  CHECK(s.log.count("limit of 100 bytes", troupe::log_level::debug) == 1);
}

TEST_CASE("tls_server: openssl s_client talks to it") {
  running_tls_server<secure_echo> s(for_known_clients());
  const auto& c = certificates();
  program client({"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(s.port()), "-servername",
                  "localhost", "-CAfile", c.path("ca.crt"), "-verify_return_error", "-cert",
                  c.path("alice.crt"), "-key", c.path("alice.key"), "-quiet"});
  CHECK(client.read_until("alice").find("CN=alice") != std::string::npos);
  client.write("over and out\n");
  CHECK(client.read_until("over and out").find("over and out") != std::string::npos);
}

TEST_CASE("tls_server: clients that are slow at the handshake do not delay others, and are disconnected") {
  running_tls_server<secure_echo> s(server_context(), {.handshake_deadline = 300ms});
  std::vector<blocking_client> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(s.connect());
  tls_client c(s.port());
  REQUIRE(c.connected());
  CHECK(c.receive() == "anonymous\n");
  for (auto& one : silent) CHECK(one.rest().empty());
  REQUIRE(becomes_true([&] { return s.figures().closed.handshake == 10; }));
  REQUIRE(c.send("still"));
  CHECK(c.receive() == "still");
}

TEST_CASE("tls_server: a client that does not speak TLS ends only its own connection, and is counted") {
  running_tls_server<secure_echo> s(server_context());
  for (const std::string_view garbage : {std::string_view("GET / HTTP/1.1\r\n\r\n"),
                                         std::string_view("\x16\x03\x01\xff\xff\x00\x00\x00\x00\x00", 10),
                                         std::string_view("\0\0\0\0\0\0\0\0", 8)}) {
    auto c = s.connect();
    REQUIRE(c.send(garbage));
    c.shutdown_write();
    (void)c.rest();
  }
  auto gone = s.connect();
  gone.close();
  REQUIRE(becomes_true([&] { return s.figures().closed.handshake == 4; }));
  CHECK(s.log.count("TLS", troupe::log_level::info) == 0);
  tls_client c(s.port());
  REQUIRE(c.connected());
  CHECK(c.receive() == "anonymous\n");
}

TEST_CASE("tls_server: with client_ca a client needs a certificate") {
  running_tls_server<secure_echo> s(for_known_clients());
  const auto& c = certificates();
  tls_client alice(s.port(), client_context({.identity = c.identity("alice")}));
  REQUIRE(alice.connected());
  CHECK(alice.receive().find("CN=alice") != std::string::npos);
  // In TLS 1.3 a client gets the refusal only after its handshake.
  tls_client mallory(s.port(), client_context({.identity = c.identity("mallory")}));
  CHECK((!mallory.connected() || mallory.receive() == "error"));
  tls_client anonymous(s.port());
  CHECK((!anonymous.connected() || anonymous.receive() == "error"));
  REQUIRE(becomes_true([&] { return s.figures().closed.handshake == 2; }));
  CHECK(s.figures().active == 1);
}

TEST_CASE("tls_server: a stop does not wait for handshakes") {
  running_tls_server<secure_echo> s(server_context(), {.drain = 60s, .handshake_deadline = 60s});
  auto silent = s.connect();
  REQUIRE(becomes_true([&] { return s.figures().active == 1; }));
  s.stop();
  CHECK(silent.rest().empty());
  CHECK(s.figures().closed.drain == 1);
  CHECK(s.figures().closed.handshake == 0);
}

TEST_CASE("tls_server: a handshake occupies a slot, and a refused client gets no plain text") {
  running_tls_server<secure_echo> s(
      server_context(),
      {.max_connections = 1, .on_limit = troupe::over_limit::refuse, .refusal = "too many of you\r\n"});
  auto silent = s.connect();
  REQUIRE(becomes_true([&] { return s.figures().active == 1; }));
  CHECK(s.connect().rest().empty());
  CHECK(s.figures().refused == 1);
}

TEST_CASE("tls_server: messages that arrive during the handshake wait for its end") {
  const auto path = std::make_shared<std::promise<std::string>>();
  running_tls_server<secure_postbox> s(server_context(), {}, path);
  troupe::runtime rt({.workers = 1});
  auto socket = must(rt.block_on(
      troupe::tcp_stream::connect(troupe::ip_endpoint::loopback(static_cast<std::uint16_t>(s.port())))));
  const auto connection = s.sys.at<word>(path->get_future().get());
  REQUIRE(connection);
  REQUIRE(connection->tell(word{"early"}) == troupe::send_result::ok);
  auto stream = must(
      rt.block_on(tls_stream::connect(std::move(socket), client_context(), {.server_name = "localhost"})));
  std::array<std::byte, 64> chunk;
  const std::size_t n = must(rt.block_on(stream.read_some(chunk)));
  CHECK(text_of(std::span(chunk).first(n)) == "early");
}
