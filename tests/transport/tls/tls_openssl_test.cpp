// The openssl tool as the other end: s_client against our server, s_server against our client.
#include "support/catch.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <algorithm>
#include <functional>
#include <thread>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

std::string port_of(const tcp_listener& l) {
  return std::to_string(must(l.local_endpoint()).port());
}

struct seen {
  std::string text;
  std::string alpn;
  std::string name;
  std::string subject;
  tls_version version = tls_version::v1_2;
  bool resumed = false;
};

/// Accepts one client, greets it, reads until `until` or the end, and sends close_notify.
task<result<seen>> serve_one(tcp_listener& l, tls_context context, std::string_view until) {
  result<tls_stream> s = co_await tls_stream::accept(must(co_await l.accept()), std::move(context));
  if (!s) co_return std::unexpected(s.error());
  seen what{.text = {},
            .alpn = std::string(s->alpn()),
            .name = std::string(s->server_name()),
            .subject = s->peer_certificate() ? s->peer_certificate()->subject : "",
            .version = s->version(),
            .resumed = s->resumed()};
  must(co_await s->write_all(bytes_of("welcome\n")));
  std::byte chunk[4096];
  while (until.empty() || what.text.find(until) == std::string::npos) {
    const result<std::size_t> n = co_await s->read_some(chunk);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) break;
    what.text += text_of(std::span(chunk, *n));
  }
  must(co_await s->write_all(bytes_of("goodbye\n")));
  must(co_await s->shutdown_write());
  while (must(co_await s->read_some(chunk)) != 0) {
  }
  co_return what;
}

std::vector<std::string> s_client(const std::string& port, std::vector<std::string> more) {
  std::vector<std::string> all{"openssl",
                               "s_client",
                               "-connect",
                               "127.0.0.1:" + port,
                               "-CAfile",
                               certificates().path("ca.crt"),
                               "-verify_return_error"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Runs s_client with one line of input against serve_one().
result<seen> visit(runtime& rt, const tls_context& context, const std::vector<std::string>& options,
                   std::string* output = nullptr) {
  tcp_listener l = listen_on_loopback();
  program client(s_client(port_of(l), options));
  client.write("hello\n");
  result<seen> s = rt.block_on(with_timeout(serve_one(l, context, "hello\n"), 20s));
  const std::string all = client.read_to_end();
  if (output != nullptr) *output = all;
  return s;
}

}  // namespace

TEST_CASE("openssl s_client: both versions, with its name and protocol") {
  runtime rt({.workers = 1});
  const bool newer = GENERATE(true, false);
  std::string output;
  const seen s = must(visit(rt, server_context({.alpn = {"troupe", "other"}}),
                            {newer ? "-tls1_3" : "-tls1_2", "-servername", "db.example", "-verify_hostname",
                             "db.example", "-alpn", "other,troupe"},
                            &output));
  CHECK(s.text == "hello\n");
  CHECK(s.alpn == "troupe");
  CHECK(s.name == "db.example");
  CHECK(s.subject.empty());
  CHECK(s.version == (newer ? tls_version::v1_3 : tls_version::v1_2));
  CHECK_THAT(output, Contains("welcome\n") && Contains("goodbye\n") && Contains("ALPN protocol: troupe") &&
                         Contains("Verify return code: 0 (ok)"));
}

TEST_CASE("openssl s_client: a version below minimum_version is refused, and both ends get the reason") {
  runtime rt({.workers = 1});
  std::string output;
  const result<seen> s =
      visit(rt, server_context({.minimum_version = tls_version::v1_3}), {"-tls1_2"}, &output);
  REQUIRE(!s);
  CHECK(s.error() == make_error_code(tls_errc::handshake_failed));
  CHECK_THAT(std::string(s.error().text()), Contains("no version of TLS is common to both"));
  CHECK_THAT(output, Contains("alert protocol version"));
}

TEST_CASE("openssl s_client: a client certificate") {
  runtime rt({.workers = 1});
  const seen s =
      must(visit(rt, server_context({.client_ca = certificates().file("ca.crt")}),
                 {"-cert", certificates().path("alice.crt"), "-key", certificates().path("alice.key")}));
  CHECK(s.subject == "CN=alice,O=Example");
  std::string output;
  CHECK(!visit(rt, server_context({.client_ca = certificates().file("ca.crt")}), {"-tls1_2"}, &output));
  CHECK_THAT(output, Contains("alert"));
}

TEST_CASE("openssl s_client: a session saved in a file is resumed") {
  runtime rt({.workers = 1});
  const std::string version = GENERATE("-tls1_3", "-tls1_2");
  const std::string file = certificates().path("session" + version);
  const tls_context context = server_context();
  CHECK(!must(visit(rt, context, {version, "-sess_out", file})).resumed);
  CHECK(must(visit(rt, context, {version, "-sess_in", file})).resumed);
}

TEST_CASE("openssl s_client: either end may request new keys during the connection") {
  runtime rt({.workers = 1});
  tcp_listener l = listen_on_loopback();
  program client(s_client(port_of(l), {"-tls1_3"}));
  const auto serve = [](tcp_listener& from, tls_context c) -> task<std::string> {
    tls_stream s = must(co_await tls_stream::accept(must(co_await from.accept()), std::move(c)));
    must(s.update_keys());
    must(co_await s.write_all(bytes_of("ready\n")));
    std::string all;
    std::byte chunk[64];
    for (std::size_t lines = 0; lines != 3; lines = static_cast<std::size_t>(std::ranges::count(all, '\n'))) {
      all += text_of(std::span(chunk, must(co_await s.read_some(chunk))));
      must(co_await s.write_all(bytes_of("got " + all)));
    }
    must(co_await s.write_all(bytes_of("bye\n")));
    must(co_await s.shutdown_write());
    co_return all;
  };
  const auto talk = [](program& p) {
    p.read_until("ready\n");
    p.write("one\n");
    p.read_until("got one\n");
    p.write("K\n");  // updates its keys, and requests that we update ours
    p.read_until("KEYUPDATE");
    p.write("two\n");
    p.read_until("two\n");
    p.write("three\n");
  };
  std::thread user(talk, std::ref(client));
  const result<std::string> all = rt.block_on(with_timeout(serve(l, server_context()), 20s));
  user.join();
  CHECK(must(all) == "one\ntwo\nthree\n");
  CHECK_THAT(client.read_to_end(), Contains("bye\n"));
}

TEST_CASE("openssl s_server: our client talks to it, resumes, and sends close_notify") {
  const std::string version = GENERATE("-tls1_3", "-tls1_2");
  program server({"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificates().path("server.crt"),
                  "-key", certificates().path("server.key"), "-rev", "-alpn", "backwards", version, "-CAfile",
                  certificates().path("ca.crt"), "-Verify", "1"});
  const std::string port = server.rest_of_line("ACCEPT 127.0.0.1:");
  REQUIRE(!port.empty());
  const auto visit = [](ip_endpoint to, tls_context c,
                        tls_session ticket) -> task<std::pair<std::string, tls_stream>> {
    tls_stream s =
        must(co_await tls_stream::connect(must(co_await tcp_stream::connect(to, 5s)), std::move(c),
                                          {.server_name = "localhost", .resume = std::move(ticket)}));
    must(co_await s.write_all(bytes_of("stressed\n")));
    std::string back = co_await read_exactly(s, 9);
    co_return std::pair(std::move(back), std::move(s));
  };
  runtime rt({.workers = 1});
  const ip_endpoint to = ip_endpoint::loopback(static_cast<std::uint16_t>(std::stoi(port)));
  const tls_context context =
      client_context({.identity = certificates().identity("alice"), .alpn = {"backwards"}});
  tls_session ticket;
  for (const bool again : {false, true}) {
    auto [back, s] = must(rt.block_on(with_timeout(visit(to, context, ticket), 20s)));
    CHECK(back == "desserts\n");
    CHECK(s.alpn() == "backwards");
    CHECK(s.version() == (version == "-tls1_3" ? tls_version::v1_3 : tls_version::v1_2));
    CHECK(s.resumed() == again);
    ticket = s.session();
    REQUIRE(ticket);
    must(rt.block_on(s.shutdown_write()));
    s.close();
  }
}
