// troupe-tls-echo with the openssl tool, and with clients that do not speak TLS.
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "transport/examples/example_process.hpp"
#include "transport/tls/tls_fixture.hpp"

#include <filesystem>

using namespace troupe_test;
using Catch::Contains;

namespace {

std::vector<std::string> with_certificate() {
  return {"--cert", certificates().path("server.crt"), "--key", certificates().path("server.key")};
}

std::vector<std::string> s_client(const std::string& address, const std::string& ca) {
  return {"openssl",          "s_client", "-connect", address, "-CAfile", ca, "-verify_return_error",
          "-verify_hostname", "localhost"};
}

/// Sends a line with the openssl tool, and reads the echo.
bool echoes(const std::string& address, const std::string& ca) {
  program client(s_client(address, ca));
  client.write("is this private?\n");
  const std::string all = client.read_until("is this private?\n");
  INFO(all);
  CHECK_THAT(all, Contains("Verification: OK") && Contains("Verify return code: 0 (ok)"));
  client.write("Q\n");  // quits
  return all.find("is this private?\n") != all.npos && client.wait() == 0;
}
bool echoes(const example& s) {
  return echoes(s.address(), certificates().path("ca.crt"));
}

}  // namespace

TEST_CASE("examples: openssl s_client verifies the TLS echo server, and reads its echo") {
  example s("tls-echo", with_certificate());
  CHECK(echoes(s));
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: openssl s_client refuses the TLS echo server when it trusts another authority") {
  example s("tls-echo", with_certificate());
  program client(s_client(s.address(), certificates().path("other_ca.crt")));
  const std::string all = client.read_to_end();
  INFO(all);
  CHECK(client.wait() != 0);
  CHECK_THAT(all, Contains("verify error"));
  CHECK(echoes(s));
  CHECK(s->terminate() == 0);
}

TEST_CASE("examples: the TLS echo server makes its own certificate, and removes it") {
  program server({example::path("tls-echo"), "--port", "0"});
  const std::filesystem::path trusted = server.rest_of_line("clients may trust ");
  const std::string address = "127.0.0.1:" + server.rest_of_line("READY port=");
  const std::filesystem::path folder = trusted.parent_path();
  INFO(trusted << " at " << address);
  REQUIRE(std::filesystem::exists(trusted));
  CHECK(std::filesystem::status(folder).permissions() == std::filesystem::perms::owner_all);
  CHECK(echoes(address, trusted));
  server.signal(SIGTERM);
  CHECK(server.wait() == 0);
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("examples: the TLS echo server says what to do when it cannot make a certificate") {
  const scratch_directory empty;
  const shell_result r = shell("TMPDIR=" + (empty / "").string() + " timeout 20 env PATH=/nowhere " +
                               example::path("tls-echo") + " --port 0");
  INFO(r.out);
  CHECK(r.status == 1);
  CHECK_THAT(r.out, Contains("install the openssl tool, or use --cert and --key") && !Contains("READY"));
  CHECK(std::filesystem::is_empty(empty / ""));
}

TEST_CASE("hostile clients: garbage to the TLS echo server ends only its own connection") {
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
