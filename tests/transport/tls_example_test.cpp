// troupe-tls-echo under the openssl tool, and under those who do not speak TLS.
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "transport/example_process.hpp"
#include "transport/tls_fixture.hpp"

using namespace troupe_test;
using Catch::Contains;

namespace {

std::vector<std::string> with_certificate() {
  return {"--cert", certificates().path("server.crt"), "--key", certificates().path("server.key")};
}

std::vector<std::string> s_client(const example& s, const std::string& ca) {
  return {"openssl",
          "s_client",
          "-connect",
          s.address(),
          "-CAfile",
          certificates().path(ca),
          "-verify_return_error",
          "-verify_hostname",
          "localhost"};
}

/// Says a line with the openssl tool, and hears it again.
bool echoes(const example& s) {
  program client(s_client(s, "ca.crt"));
  client.write("is this private?\n");
  const std::string all = client.read_until("is this private?\n");
  INFO(all);
  CHECK_THAT(all, Contains("Verification: OK") && Contains("Verify return code: 0 (ok)"));
  client.write("Q\n");  // quits
  return all.find("is this private?\n") != all.npos && client.wait() == 0;
}

}  // namespace

TEST_CASE("examples: openssl s_client verifies the TLS echo server, and hears what it says") {
  example s("tls-echo", with_certificate());
  CHECK(echoes(s));
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: openssl s_client refuses the TLS echo server when it trusts another authority") {
  example s("tls-echo", with_certificate());
  program client(s_client(s, "other_ca.crt"));
  const std::string all = client.read_to_end();
  INFO(all);
  CHECK(client.wait() != 0);
  CHECK_THAT(all, Contains("verify error"));
  CHECK(echoes(s));
  CHECK(s->terminate() == 0);
}

TEST_CASE("hard days: garbage to the TLS echo server costs the connection it came on, and nothing else") {
  example s("tls-echo", with_certificate());
  std::string noise(100'000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * i >> 3);
  for (int i = 0; i < 200; ++i) {
    blocking_client c = s.connect();
    c.send(i % 2 == 0 ? "GET / HTTP/1.1\r\n\r\n"
                      : std::string_view(noise).substr(static_cast<std::size_t>(i) * 97));
    if (i % 10 == 0) CHECK(c.rest().size() < 100);  // an alert, perhaps, and the end
  }
  CHECK(s->runs());
  CHECK(echoes(s));
  CHECK(s->terminate() == 0);
}
