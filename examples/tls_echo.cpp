// A TLS echo server: each connection is a supervised actor. The handshake runs in that actor, so a client
// that is slow at it delays no other client. Without --cert and --key the program creates a certificate that
// is valid for a day, and prints its file name.
//
//   troupe-tls-echo --port 7443 &
//   openssl s_client -connect localhost:7443 -CAfile <the printed file> -verify_return_error
#include <troupe/actors.hpp>
#include <troupe/transport.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <unistd.h>

using namespace std::chrono_literals;

/// One client, from the end of the handshake to close_notify.
class echo {
 public:
  troupe::task<void> run(troupe::context& ctx, troupe::tls_stream peer) {
    if (troupe::result<void> ended = co_await serve(ctx, peer); !ended) {
      std::fprintf(stderr, "%s\n", ended.error().to_string().c_str());
    }
  }

 private:
  static troupe::task<troupe::result<void>> serve(troupe::context& ctx, troupe::tls_stream& peer) {
    const auto who = peer.peer_certificate();
    std::printf("%s: %.*s, %s\n", peer.remote_endpoint()->to_string().c_str(),
                static_cast<int>(peer.cipher().size()), peer.cipher().data(),
                who ? who->subject.c_str() : "no certificate");
    std::fflush(stdout);
    troupe::read_buffer buffer;
    for (;;) {
      // An idle connection holds no buffer: memory is taken only when there is something to read.
      auto ready = co_await troupe::until_stopped(ctx, peer.wait_readable());
      if (!ready && ready.error() == troupe::errc::cancelled) break;
      if (!ready) co_return ready;
      const auto got = peer.try_read(buffer.prepare());
      if (!got) co_return std::unexpected(got.error());
      if (*got && **got == 0) break;
      buffer.commit(got->value_or(0));
      if (auto sent = co_await peer.write_all(buffer.data()); !sent) co_return sent;
      buffer.clear();
      buffer.give_back();
    }
    co_return co_await peer.shutdown_write();
  }
};

/// A certificate for localhost, in a temporary directory that is removed with this object.
class own_certificate {
 public:
  own_certificate() : folder_((std::filesystem::temp_directory_path() / "troupe-tls-echo-XXXXXX").string()) {
    if (::mkdtemp(folder_.data()) == nullptr) return;
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 " +
        std::string("-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 ") + "-keyout '" +
        folder_ + "/key.pem' -out '" + folder_ + "/cert.pem' 2>/dev/null";
    made_ = std::system(command.c_str()) == 0;
  }
  own_certificate(const own_certificate&) = delete;
  own_certificate& operator=(const own_certificate&) = delete;
  ~own_certificate() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] std::string certificate() const { return folder_ + "/cert.pem"; }
  [[nodiscard]] std::string key() const { return folder_ + "/key.pem"; }

 private:
  std::string folder_;
  bool made_ = false;
};

int main(int argc, char** argv) {
  std::uint16_t port = 7443;
  std::string certificate;
  std::string key;
  std::string client_ca;
  std::uint32_t max_connections = 10'000;
  CLI::App app("A TLS echo server on 127.0.0.1");
  app.add_option("--port", port, "Port to listen on; 0: a free one")->capture_default_str();
  auto* const cert_option = app.add_option("--cert", certificate, "PEM file: the certificate and its chain");
  app.add_option("--key", key, "PEM file: its private key")->needs(cert_option);
  app.add_option("--client-ca", client_ca,
                 "PEM file: require clients to present a certificate issued by one of these authorities");
  app.add_option("--max-connections", max_connections, "Further clients are refused")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::optional<own_certificate> own;
  if (certificate.empty()) {
    own.emplace();
    if (!own->made()) {
      std::fprintf(stderr,
                   "cannot create a certificate: install the openssl tool, or use --cert and --key\n");
      return 1;
    }
    certificate = own->certificate();
    key = own->key();
    std::printf("clients may trust %s\n", certificate.c_str());
  }
  const auto context = troupe::tls_context::server(
      {.identity = {.certificate = troupe::pem::file(certificate), .private_key = troupe::pem::file(key)},
       .client_ca = client_ca.empty() ? troupe::pem() : troupe::pem::file(client_ca)});
  if (!context) {
    std::fprintf(stderr, "%s\n", context.error().to_string().c_str());
    return 1;
  }

  const troupe::tls_server<echo> server("tls", *context,
                                        {.listen = troupe::ip_endpoint::loopback(port),
                                         .connection = {.keep_alive = true, .keep_alive_idle = 60s},
                                         .max_connections = max_connections,
                                         .on_limit = troupe::over_limit::refuse,
                                         .handshake_deadline = 5s,
                                         .on_listening = [](const troupe::ip_endpoint& at) {
                                           std::printf("READY port=%u\n", unsigned{at.port()});
                                           std::fflush(stdout);
                                         }});
  troupe::system sys({.name = "tls-echo"});
  const int status = sys.run(troupe::supervisor("app").child(server));
  std::printf("%llu clients, %llu of them failed in the handshake\n",
              static_cast<unsigned long long>(server.metrics().accepted),
              static_cast<unsigned long long>(server.metrics().closed.handshake));
  return status;
}
