// The whole server over TLS, with redis-cli, redis-benchmark and openssl s_client as clients.
#include "kv/server_fixture.hpp"
#include "support/certificates.hpp"

using namespace kv_test;
using troupe_test::certificates;

namespace {

std::string file(const std::string& name) {
  return certificates().path(name);
}

/// Options of a server whose clients must present a certificate of this authority; without one they need
/// none.
std::vector<std::string> over_tls(const std::string& client_authority = {}) {
  std::vector<std::string> options = {
      "--tls-port", "0", "--tls-cert", file("server.crt"), "--tls-key", file("server.key"), "--shards", "2"};
  if (!client_authority.empty()) options.insert(options.end(), {"--tls-ca", file(client_authority + ".crt")});
  return options;
}

std::string endpoint(const server& s, const std::string& authority = "ca") {
  return "-h 127.0.0.1 -p " + std::to_string(s.tls_port()) + " --tls --cacert " + file(authority + ".crt");
}

shell_result redis_cli(const server& s, const std::string& words, const std::string& authority = "ca") {
  shell_result r = shell("timeout 20 redis-cli " + endpoint(s, authority) + " " + words);
  while (r.out.ends_with('\n')) r.out.pop_back();
  return r;
}

}  // namespace

TEST_CASE("tls: redis-cli reaches the same keys over the TLS port and over the plain port") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, over_tls());
  REQUIRE(s.port() != 0);
  REQUIRE(s.tls_port() != 0);
  CHECK(redis_cli(s, "SET k secret").out == "OK");
  CHECK(redis_cli(s, "GET k").out == "secret");
  CHECK(s.cli("GET k") == "secret");
  CHECK(redis_cli(s, "CONFIG GET tls-port").out == "tls-port\n" + std::to_string(s.tls_port()));
  const std::string tree = redis_cli(s, "TROUPE TREE").out;
  CHECK(tree.find("tls") != tree.npos);
  CHECK(s.terminate() == 0);
}

TEST_CASE("tls: a client that trusts another authority fails, and no other client is affected") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, over_tls());
  const shell_result distrustful = redis_cli(s, "PING", "other_ca");
  CHECK(distrustful.status != 0);
  CHECK(distrustful.out.find("certificate verify failed") != distrustful.out.npos);
  client garbage(s.tls_port());
  REQUIRE(garbage.send("*1\r\n$4\r\nPING\r\n"));
  CHECK(garbage.rest().find("PONG") == std::string::npos);
  CHECK(redis_cli(s, "PING").out == "PONG");
  // The number depends on the retries of redis-cli.
  CHECK(redis_cli(s, "INFO stats").out.find("failed_tls_handshakes:0") == std::string::npos);
  CHECK(s.terminate() == 0);
}

TEST_CASE("tls: with --tls-ca a client must present a certificate of that authority") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, over_tls("ca"));
  const auto as = [&](const std::string& who) {
    return "--cert " + file(who + ".crt") + " --key " + file(who + ".key") + " PING";
  };
  CHECK(redis_cli(s, as("alice")).out == "PONG");
  CHECK(redis_cli(s, "PING").out != "PONG");
  CHECK(redis_cli(s, as("mallory")).out != "PONG");
  CHECK(redis_cli(s, as("alice")).out == "PONG");
}

TEST_CASE("tls: openssl s_client gets the certificate and a reply") {
  const scratch_directory data;
  server s(data, over_tls());
  const shell_result r =
      shell("printf 'PING\\r\\nQUIT\\r\\n' | timeout 20 openssl s_client -connect 127.0.0.1:" +
            std::to_string(s.tls_port()) + " -CAfile " + file("ca.crt") + " -verify_return_error -ign_eof");
  INFO(r.out);
  CHECK(r.status == 0);
  // OpenSSL before 3.2 prints "CN = server", later ones "CN=server".
  CHECK((r.out.find("CN = server") != r.out.npos || r.out.find("CN=server") != r.out.npos));
  CHECK(r.out.find("+PONG\r\n+OK\r\n") != r.out.npos);
}

TEST_CASE("tls: redis-benchmark completes, also with large values") {
  if (!has_redis_tools()) return;
  const scratch_directory data;
  server s(data, over_tls());
  for (const std::string load :
       {"-t set,get,mset -P 16 -n 20000 -c 20", "-t set,get -d 300000 -n 200 -c 4"}) {
    const shell_result r = shell("timeout 120 redis-benchmark " + endpoint(s) + " " + load + " -q");
    INFO(r.out);
    CHECK(r.status == 0);
    CHECK(r.out.find("Error") == r.out.npos);
    CHECK(r.out.find("SET: ") != r.out.npos);
  }
  CHECK(s.terminate() == 0);
}

TEST_CASE("tls: clients on both ports are counted together") {
  const scratch_directory data;
  std::vector<std::string> options = over_tls();
  options.insert(options.end(), {"--max-clients", "2"});
  server s(data, options);
  client plain(s.port());
  REQUIRE(plain.run({"PING"}) == "+PONG\r\n");
  client other(s.port());
  REQUIRE(other.run({"PING"}) == "+PONG\r\n");
  CHECK(client(s.tls_port()).rest().empty());  // a client before the handshake gets no text
  CHECK(client(s.port()).rest() == "-ERR max number of clients reached\r\n");
  CHECK(plain.run({"INFO", "stats"}).find("rejected_connections:2") != std::string::npos);
}

TEST_CASE("tls: --tls-port alone opens no plain port, and missing options are reported") {
  const scratch_directory data;
  std::vector<std::string> words = {TROUPE_KV_SERVER, "--dir", (data / "data").string()};
  for (const std::string& word : over_tls()) words.push_back(word);
  {
    troupe_test::child_process s(words, data / "log");
    REQUIRE(s.said(" tls-port=") != 0);
    CHECK(s.port() == 0);
    CHECK(s.terminate() == 0);
  }
  CHECK(server::refused(data, "--tls-port 0").status == 2);
  CHECK(server::refused(data, "--tls-cert x --tls-key y").status == 2);
  const shell_result missing =
      server::refused(data, "--tls-port 0 --tls-cert /nowhere.crt --tls-key " + file("server.key"));
  CHECK(missing.status == 1);
  CHECK(missing.out.find("/nowhere.crt") != missing.out.npos);
  const shell_result mismatch = server::refused(
      data, "--tls-port 0 --tls-cert " + file("server.crt") + " --tls-key " + file("alice.key"));
  CHECK(mismatch.status == 1);
}
