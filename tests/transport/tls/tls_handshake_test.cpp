// TLS handshakes: names, authorities, mutual TLS, versions, protocols and resumption.
#include "support/catch.hpp"
#include "transport/tls/tls_fixture.hpp"

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

std::string text(const error& e) {
  return std::string(e.text());
}

/// The error of a client that trusts the test's authority and refuses a server as not being `name`.
error client_refuses(const std::string& identity, const std::string& name, tls_client_options client = {}) {
  runtime rt({.workers = 1});
  const tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())),
                                    server_context({.identity = certificates().identity(identity)}),
                                    client_context(std::move(client)), {.server_name = name});
  CHECK(!o.server);
  return o.client ? error(errc::not_found) : o.client.error();
}

task<result<std::size_t>> first_read(tls_stream& s) {
  std::byte chunk[16];
  co_return co_await s.read_some(chunk);
}

/// Sends one word in each direction.
task<std::string> talk(tls_stream& from, tls_stream& to) {
  must(co_await from.write_all(bytes_of("ping")));
  std::string all = co_await read_exactly(to, 4);
  must(co_await to.write_all(bytes_of("pong")));
  all += co_await read_exactly(from, 4);
  co_return all;
}

}  // namespace

TEST_CASE("tls: a name in the certificate is accepted, and both ends negotiate the same parameters") {
  runtime rt({.workers = 1});
  const std::string name =
      GENERATE(as<std::string>(), "localhost", "db.example", "DB.Example", "db.example.", "127.0.0.1");
  tls_pair p = make_tls_pair(rt, server_context(), client_context(), {.server_name = name});
  CHECK(must(rt.block_on(talk(p.client, p.server))) == "pingpong");
  CHECK(p.client.version() == tls_version::v1_3);
  CHECK(p.server.version() == tls_version::v1_3);
  CHECK(p.client.cipher() == p.server.cipher());
  CHECK_THAT(std::string(p.client.cipher()), Contains("TLS_"));
  CHECK(p.client.alpn().empty());
  CHECK(!p.client.resumed());
  // An address is checked, but not sent as a name.
  CHECK(p.server.server_name() == (name == "127.0.0.1" ? "" : name == "db.example." ? "db.example" : name));
  CHECK(!p.server.peer_certificate());
  const auto seen = p.client.peer_certificate();
  REQUIRE(seen);
  CHECK(seen->subject == "CN=server");
  CHECK(seen->issuer == "CN=Test-Authority");
  CHECK(seen->dns_names == std::vector<std::string>{"localhost", "db.example"});
  CHECK(seen->ip_addresses == std::vector<std::string>{"127.0.0.1"});
  CHECK(seen->sha256.size() == 64);
  CHECK(must(p.server.remote_endpoint()).port() != 0);
}

TEST_CASE("tls: a wildcard stands for one label") {
  CHECK(client_refuses("wild", "a.b.wild.example") == make_error_code(tls_errc::certificate_refused));
  CHECK(client_refuses("wild", "wild.example") == make_error_code(tls_errc::certificate_refused));
  runtime rt({.workers = 1});
  make_tls_pair(rt, server_context({.identity = certificates().identity("wild")}), client_context(),
                {.server_name = "a.wild.example"});
}

TEST_CASE("tls: a certificate for another host is refused, with both names") {
  const error e = client_refuses("server", "bank.example");
  CHECK(e == make_error_code(tls_errc::certificate_refused));
  CHECK_THAT(text(e), Contains("TLS handshake with 127.0.0.1:") &&
                          Contains("'CN=server' is not for 'bank.example'") &&
                          Contains("'localhost, db.example, 127.0.0.1'"));
  CHECK_THAT(text(client_refuses("server", "127.0.0.2")), Contains("is not for '127.0.0.2'"));
}

TEST_CASE("tls: an expired, self-signed or untrusted certificate is refused with the reason") {
  CHECK_THAT(text(client_refuses("expired", "localhost")), Contains("'CN=expired' has expired, on "));
  CHECK_THAT(text(client_refuses("selfsigned", "localhost")), Contains("'CN=selfsigned' is self-signed"));
  const error untrusted = client_refuses("stranger", "localhost");
  CHECK(untrusted == make_error_code(tls_errc::certificate_refused));
  CHECK_THAT(text(untrusted),
             Contains("comes from an authority that is not trusted here: 'CN=Other-Authority'"));
  // The system's authorities have not signed it either.
  runtime rt({.workers = 1});
  const tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())), server_context(),
                                    must(tls_context::client()), {.server_name = "localhost"});
  REQUIRE(!o.client);
  CHECK(o.client.error() == make_error_code(tls_errc::certificate_refused));
}

TEST_CASE("tls: the server learns why its client refused it") {
  runtime rt({.workers = 1});
  const tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())),
                                    server_context({.identity = certificates().identity("stranger")}),
                                    client_context(), {.server_name = "localhost"});
  REQUIRE(!o.server);
  CHECK(o.server.error() == make_error_code(tls_errc::refused_by_peer));
  CHECK_THAT(text(o.server.error()),
             Contains("unknown ca") && Contains("does not trust the authority of our certificate"));
}

TEST_CASE("tls: the server sends intermediate authorities, and a missing one is noticed") {
  runtime rt({.workers = 1});
  make_tls_pair(rt, server_context({.identity = certificates().identity("chain")}), client_context(),
                {.server_name = "localhost"});
  CHECK_THAT(text(client_refuses("below", "localhost")), Contains("not trusted here: 'CN=Middle-Authority'"));
}

TEST_CASE("tls: checks are off only when they are switched off by name") {
  runtime rt({.workers = 1});
  const auto connection_to = [&](const std::string& identity, tls_client_options c, tls_connect_options o) {
    return shake_hands(rt, must(rt.block_on(make_connection())),
                       server_context({.identity = certificates().identity(identity)}),
                       client_context(std::move(c)), std::move(o));
  };
  SECTION("a missing name is an error, not one check less") {
    const tls_outcome o = connection_to("server", {}, {});
    REQUIRE(!o.client);
    CHECK(o.client.error() == errc::invalid_argument);
    CHECK_THAT(text(o.client.error()), Contains("server_name"));
  }
  SECTION("any name of a trusted authority") {
    CHECK(connection_to("server", {}, {.server_name = "bank.example", .insecure_skip_name_check = true})
              .client);
    CHECK(!connection_to("stranger", {}, {.server_name = "localhost", .insecure_skip_name_check = true})
               .client);
  }
  SECTION("any certificate") {
    CHECK(connection_to("selfsigned", {.insecure_accept_any_certificate = true}, {.server_name = "x.example"})
              .client);
    CHECK(connection_to("expired", {.insecure_accept_any_certificate = true}, {}).client);
  }
}

TEST_CASE("tls: with client_ca a client must present a certificate of that authority") {
  runtime rt({.workers = 1});
  const tls_context server = server_context({.client_ca = certificates().file("ca.crt")});
  SECTION("a valid certificate gives the client's name") {
    tls_pair p = make_tls_pair(rt, server, client_context({.identity = certificates().identity("alice")}),
                               {.server_name = "localhost"});
    CHECK(must(rt.block_on(talk(p.client, p.server))) == "pingpong");
    const auto who = p.server.peer_certificate();
    REQUIRE(who);
    CHECK(who->subject == "CN=alice,O=Example");
    CHECK(who->dns_names == std::vector<std::string>{"alice.example"});
    CHECK(who->ip_addresses == std::vector<std::string>{"::1"});
    CHECK(who->email_addresses == std::vector<std::string>{"alice@example.org"});
    CHECK(who->uris == std::vector<std::string>{"spiffe://example/alice"});
  }
  SECTION("a client without a certificate is refused, and gets the reason") {
    tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())), server, client_context(),
                                {.server_name = "localhost"});
    REQUIRE(!o.server);
    CHECK(o.server.error() == make_error_code(tls_errc::certificate_refused));
    CHECK_THAT(text(o.server.error()), Contains("sent no certificate"));
    REQUIRE(o.client);  // in TLS 1.3 the client is done before the server has checked
    const result<std::size_t> got = rt.block_on(first_read(*o.client));
    REQUIRE(!got);
    CHECK(got.error() == make_error_code(tls_errc::refused_by_peer));
    CHECK_THAT(text(got.error()), Contains("certificate required"));
  }
  SECTION("a certificate of another authority is refused") {
    const tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())), server,
                                      client_context({.identity = certificates().identity("mallory")}),
                                      {.server_name = "localhost"});
    REQUIRE(!o.server);
    CHECK_THAT(text(o.server.error()),
               Contains("'CN=mallory' comes from an authority that is not trusted here"));
  }
}

TEST_CASE("tls: an optional client certificate may be missing, but not invalid") {
  runtime rt({.workers = 1});
  const tls_context server =
      server_context({.client_ca = certificates().file("ca.crt"), .client_certificate_optional = true});
  tls_pair p = make_tls_pair(rt, server, client_context(), {.server_name = "localhost"});
  CHECK(!p.server.peer_certificate());
  CHECK(!shake_hands(rt, must(rt.block_on(make_connection())), server,
                     client_context({.identity = certificates().identity("mallory")}),
                     {.server_name = "localhost"})
             .server);
}

TEST_CASE("tls: a server with several names presents the certificate that the client requests") {
  runtime rt({.workers = 1});
  const tls_context strict = server_context({.identity = certificates().identity("second"),
                                             .client_ca = certificates().file("ca.crt"),
                                             .alpn = {"second"}});
  const tls_context server = server_context(
      {.names = {{"*.wild.example", server_context({.identity = certificates().identity("wild")})},
                 {"Second.Example", strict}}});
  const auto subject = [&](const std::string& name, tls_client_options c = {}) {
    const tls_pair p = make_tls_pair(rt, server, client_context(std::move(c)), {.server_name = name});
    return p.client.peer_certificate().value().subject + " " + std::string(p.server.server_name()) + " " +
           std::string(p.server.alpn());
  };
  CHECK(subject("a.wild.example") == "CN=wild a.wild.example ");
  CHECK(subject("localhost") == "CN=server localhost ");
  CHECK(subject("127.0.0.1") == "CN=server  ");
  // The authorities and protocols are those of the name, too.
  CHECK(subject("second.example", {.identity = certificates().identity("alice"), .alpn = {"second"}}) ==
        "CN=second second.example second");
  CHECK(!shake_hands(rt, must(rt.block_on(make_connection())), server, client_context(),
                     {.server_name = "second.example"})
             .server);
}

TEST_CASE("tls: a ticket of one name is not valid for another name with stricter options") {
  runtime rt({.workers = 1});
  const tls_identity both = certificates().identity("server");
  const tls_context strict = server_context({.identity = both, .client_ca = certificates().file("ca.crt")});
  const tls_context server = server_context({.identity = both, .names = {{"db.example", strict}}});
  const tls_context client = client_context();
  tls_pair p = make_tls_pair(rt, server, client, {.server_name = "localhost"});
  CHECK(must(rt.block_on(talk(p.client, p.server))) == "pingpong");
  const tls_session ticket = p.client.session();
  REQUIRE(ticket);
  const tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection())), server, client,
                                    {.server_name = "db.example", .resume = ticket});
  CHECK(!o.server);
}

TEST_CASE("tls: ALPN follows the server's preference, and fails if both have protocols but none in common") {
  runtime rt({.workers = 1});
  const auto agreed = [&](std::vector<std::string> server, std::vector<std::string> client) {
    tls_outcome o =
        shake_hands(rt, must(rt.block_on(make_connection())), server_context({.alpn = std::move(server)}),
                    client_context({.alpn = std::move(client)}), {.server_name = "localhost"});
    if (!o.server) return text(o.server.error());
    CHECK(o.server->alpn() == o.client->alpn());
    return std::string(o.server->alpn());
  };
  CHECK(agreed({"h2", "http/1.1"}, {"http/1.1", "h2"}) == "h2");
  CHECK(agreed({"h2", "http/1.1"}, {"spdy", "http/1.1"}) == "http/1.1");
  CHECK(agreed({"h2"}, {}).empty());
  CHECK(agreed({}, {"h2"}).empty());
  CHECK_THAT(agreed({"h2"}, {"spdy"}), Contains("none of the protocols in alpn"));
}

TEST_CASE("tls: a resumed session still knows the peer's certificate") {
  runtime rt({.workers = 1});
  const tls_context server = server_context({.client_ca = certificates().file("ca.crt")});
  const tls_context client = client_context({.identity = certificates().identity("alice")});
  tls_pair p = make_tls_pair(rt, server, client, {.server_name = "localhost"});
  CHECK(must(rt.block_on(talk(p.client, p.server))) == "pingpong");
  const tls_session ticket = p.client.session();
  REQUIRE(ticket);
  tls_pair again = make_tls_pair(rt, server, client, {.server_name = "localhost", .resume = ticket});
  CHECK(again.client.resumed());
  CHECK(again.server.resumed());
  CHECK(again.server.peer_certificate().value().subject == "CN=alice,O=Example");
  CHECK(must(rt.block_on(talk(again.client, again.server))) == "pingpong");
  // Another server does not know the ticket: a full handshake follows.
  const tls_pair other =
      make_tls_pair(rt, server_context(), client, {.server_name = "localhost", .resume = ticket});
  CHECK(!other.client.resumed());
}

TEST_CASE("tls: a server without tickets issues none") {
  runtime rt({.workers = 1});
  tls_pair p = make_tls_pair(rt, server_context({.session_tickets = false}), client_context(),
                             {.server_name = "localhost"});
  CHECK(must(rt.block_on(talk(p.client, p.server))) == "pingpong");
  CHECK(!p.client.session());
}

TEST_CASE("tls: a context for the wrong side, or a connection that is not open, is an error") {
  runtime rt({.workers = 1});
  connection c = must(rt.block_on(make_connection()));
  const result<tls_stream> a = rt.block_on(tls_stream::accept(std::move(c.server), client_context()));
  REQUIRE(!a);
  CHECK(a.error() == errc::invalid_argument);
  const result<tls_stream> b =
      rt.block_on(tls_stream::connect(std::move(c.client), server_context(), {.server_name = "localhost"}));
  REQUIRE(!b);
  CHECK(b.error() == errc::invalid_argument);
  CHECK(rt.block_on(tls_stream::accept(tcp_stream(), server_context())).error() == errc::closed);
}
