// Creating a tls_context: invalid options are refused, with errors that say what to do.
#include "support/catch.hpp"
#include "transport/tls/tls_fixture.hpp"

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

error refused(const tls_server_options& o) {
  result<tls_context> c = tls_context::server(o);
  return c ? error(errc::not_found) : c.error();
}
error refused_client(const tls_client_options& o) {
  result<tls_context> c = tls_context::client(o);
  return c ? error(errc::not_found) : c.error();
}
std::string text(const error& e) {
  return std::string(e.text());
}

}  // namespace

TEST_CASE("tls_context: a certificate and a key come from files or from text") {
  CHECK(tls_context::server({.identity = certificates().identity("server")}));
  CHECK(tls_context::server({.identity = {.certificate = pem::text(certificates().text("server.crt")),
                                          .private_key = pem::text(certificates().text("server.key"))}}));
  const auto both =
      tls_context::server({.identity = {.certificate = pem::text(certificates().text("server.key") +
                                                                 certificates().text("server.crt")),
                                        .private_key = certificates().file("server.key")}});
  CHECK(both);  // other contents of the file do not matter
}

TEST_CASE("tls_context: a missing file is an error that names the file, the option and the reason") {
  const error e = refused({.identity = {.certificate = pem::file("/nowhere/a.crt"),
                                        .private_key = certificates().file("server.key")}});
  CHECK(e == make_error_code(tls_errc::bad_file));
  CHECK_THAT(text(e), Contains("'/nowhere/a.crt'") && Contains("identity.certificate") &&
                          Contains("No such file or directory"));
  const error k = refused({.identity = {.certificate = certificates().file("server.crt"),
                                        .private_key = pem::file("/nowhere/a.key")}});
  CHECK(k == make_error_code(tls_errc::bad_file));
  CHECK_THAT(text(k), Contains("'/nowhere/a.key'") && Contains("identity.private_key"));
  const error ca = refused_client({.ca = pem::file("/nowhere/ca.crt")});
  CHECK_THAT(text(ca), Contains("'/nowhere/ca.crt' (ca)") && Contains("No such file"));
  // A directory opens, but does not read.
  CHECK(refused_client({.ca = pem::file("/")}) == make_error_code(tls_errc::bad_file));
}

TEST_CASE("tls_context: a file without a certificate, or with a damaged one, is refused with the reason") {
  tls_identity i = certificates().identity("server");
  i.certificate = certificates().file("nonsense.pem");
  CHECK_THAT(text(refused({.identity = i})),
             Contains("there is no certificate in '") && Contains("-----BEGIN CERTIFICATE-----"));
  i.certificate = certificates().file("cut.crt");
  CHECK_THAT(text(refused({.identity = i})), Contains("is damaged"));
  i.certificate = pem::text("x");
  CHECK_THAT(text(refused({.identity = i})), Contains("in the text given as identity.certificate"));
  i = certificates().identity("server");
  i.private_key = certificates().file("nonsense.pem");
  const error e = refused({.identity = i});
  CHECK(e == make_error_code(tls_errc::bad_file));
  CHECK_THAT(text(e), Contains("cannot use the private key in '") && Contains("PEM form"));
  CHECK(refused_client({.ca = certificates().file("nonsense.pem")}) == make_error_code(tls_errc::bad_file));
}

TEST_CASE("tls_context: a key that belongs to another certificate is refused, with both names") {
  const error e = refused({.identity = {.certificate = certificates().file("server.crt"),
                                        .private_key = certificates().file("alice.key")}});
  CHECK(e == make_error_code(tls_errc::key_mismatch));
  CHECK_THAT(text(e), Contains("alice.key'") && Contains("does not belong") && Contains("server.crt'"));
}

TEST_CASE("tls_context: an encrypted key needs its password, and there is no prompt on the terminal") {
  tls_identity i = certificates().identity("server");
  i.private_key = certificates().file("locked.key");
  CHECK_THAT(text(refused({.identity = i})), Contains("locked.key'") && Contains("key_password"));
  i.key_password = "wrong";
  CHECK_THAT(text(refused({.identity = i})), Contains("is key_password right?"));
  i.key_password = "secret";
  CHECK(tls_context::server({.identity = i}));
}

TEST_CASE("tls_context: contradictory options are refused") {
  CHECK(refused(tls_server_options{}) == errc::invalid_argument);
  CHECK_THAT(text(refused_client({.identity = {.certificate = certificates().file("alice.crt")}})),
             Contains("identity.private_key is missing"));
  const tls_identity i = certificates().identity("server");
  CHECK(refused({.identity = i, .client_certificate_optional = true}) == errc::invalid_argument);
  CHECK(refused({.identity = i, .alpn = {"h2", ""}}) == errc::invalid_argument);
  CHECK(refused({.identity = i, .alpn = {std::string(256, 'a')}}) == errc::invalid_argument);
  CHECK(refused({.identity = i, .names = {{"a.example", client_context()}}}) == errc::invalid_argument);
}

TEST_CASE("tls_context: a client trusts the system's authorities when none are given") {
  const result<tls_context> c = tls_context::client();
  REQUIRE(c);
  CHECK(!c->is_server());
}
