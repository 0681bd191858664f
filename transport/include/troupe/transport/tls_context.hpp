// The configuration that TLS connections share: certificates, keys, trusted authorities and protocols.
//
// Create it once, at the start of the program; each connection takes a copy, which is a shared pointer. A
// context is immutable, so threads may share it. To renew a certificate create a new context: existing
// connections keep the old one.
#pragma once

#include <troupe/runtime/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct tls_server_options;
struct tls_client_options;
namespace detail {
class tls_context_state;
}

/// Certificates or a key in PEM form: a file name, or the text itself.
class pem {
 public:
  /// Empty: no certificate and no key.
  pem() noexcept = default;
  /// The contents of the file `path`, which is read when the context is created.
  [[nodiscard]] static pem file(std::string path) { return pem(std::move(path), true); }
  /// The PEM text itself.
  [[nodiscard]] static pem text(std::string pem_text) { return pem(std::move(pem_text), false); }

  /// Whether there is neither a file name nor a text.
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  /// Whether value() is a file name.
  [[nodiscard]] bool is_file() const noexcept { return is_file_; }
  /// The file name, or the text.
  [[nodiscard]] const std::string& value() const noexcept { return value_; }

 private:
  pem(std::string value, bool is_file) noexcept : value_(std::move(value)), is_file_(is_file) {}

  std::string value_;
  bool is_file_ = false;
};

/// The protocol versions that Troupe supports.
enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// An immutable configuration; copies share it. Compression and renegotiation are off.
/// Threads: any.
class tls_context {
 public:
  /// Creates a server's context.
  /// Errors: tls_errc::bad_file and key_mismatch, with the file name and the reason;
  /// tls_errc::handshake_failed if OpenSSL gets no random bytes; errc::invalid_argument if the identity is
  /// incomplete, or another option is invalid or has no effect.
  /// Blocks: reads the files; call it before the system starts, or in blocking().
  [[nodiscard]] static result<tls_context> server(const tls_server_options& options);
  /// Creates a client's context.
  /// Errors: tls_errc::bad_file, also if the system's authorities cannot be read, and key_mismatch;
  /// errc::invalid_argument if the identity is incomplete, or a name in `alpn` is invalid.
  /// Blocks: as server().
  [[nodiscard]] static result<tls_context> client(const tls_client_options& options);
  /// The same with the default options: it trusts the system's authorities.
  [[nodiscard]] static result<tls_context> client();

  /// Whether server() created it.
  [[nodiscard]] bool is_server() const noexcept;

  /// Internal.
  [[nodiscard]] const detail::tls_context_state& state() const noexcept { return *state_; }

 private:
  explicit tls_context(std::shared_ptr<const detail::tls_context_state> s) noexcept : state_(std::move(s)) {}

  std::shared_ptr<const detail::tls_context_state> state_;
};

/// A certificate and its key. Use designated initializers, as for all options below.
struct tls_identity {
  /// The certificate, followed by those of the intermediate authorities.
  pem certificate;
  /// Its private key.
  pem private_key = {};
  /// The password of an encrypted key.
  std::string key_password = {};
};

/// Another identity of a server, for clients that request this name (SNI).
struct tls_server_name {
  /// "db.example", or "*.example" for any one label.
  std::string name;
  /// A server's context: its certificate, client_ca, ALPN and versions apply to these clients.
  tls_context context;
};

/// Options of tls_context::server().
struct tls_server_options {
  /// The server's certificate and key. Required.
  tls_identity identity = {};
  /// Mutual TLS: a client must present a certificate signed by one of these authorities.
  pem client_ca = {};
  /// With client_ca: a client may present no certificate, but not an invalid one.
  bool client_certificate_optional = false;
  /// The server's application protocols (ALPN), in order of preference. A client that offers only other
  /// protocols is refused; a client that offers none is not.
  std::vector<std::string> alpn = {};
  /// The oldest version to accept.
  tls_version minimum_version = tls_version::v1_2;
  /// Lets clients resume a session without a full handshake. The server stores nothing for it; tickets are
  /// valid as long as the context lives.
  bool session_tickets = true;
  /// Identities for other names; a client that requests none of them gets `identity`.
  std::vector<tls_server_name> names = {};
};

/// Options of tls_context::client().
struct tls_client_options {
  /// The trusted authorities; if empty, those of the system.
  pem ca = {};
  /// The client's certificate for servers that request one (mutual TLS); may be empty.
  tls_identity identity = {};
  /// The client's application protocols (ALPN), in order of preference.
  std::vector<std::string> alpn = {};
  /// The oldest version to accept.
  tls_version minimum_version = tls_version::v1_2;
  /// Accepts any certificate, so a man in the middle can read and change all data. For experiments only.
  bool insecure_accept_any_certificate = false;
};

}  // namespace troupe
