// The settings that many TLS connections share, on either side: certificates,
// keys, trusted authorities, and what is offered.
//
// Made once, when a program starts; a connection takes a copy, which is a
// shared pointer. A context never changes, so threads may share it. To renew a
// certificate make a new context: established connections keep the old one.
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

/// Certificates or a key in PEM format: a file's name, or the text itself.
class pem {
 public:
  /// Nothing.
  pem() noexcept = default;
  [[nodiscard]] static pem file(std::string path) { return pem(std::move(path), true); }
  [[nodiscard]] static pem text(std::string pem_text) { return pem(std::move(pem_text), false); }

  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  [[nodiscard]] bool is_file() const noexcept { return is_file_; }
  /// The file's name, or the text.
  [[nodiscard]] const std::string& value() const noexcept { return value_; }

 private:
  pem(std::string value, bool is_file) noexcept : value_(std::move(value)), is_file_(is_file) {}

  std::string value_;
  bool is_file_ = false;
};

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// Immutable and thread-safe; a copy shares. Compression and renegotiation are off.
class tls_context {
 public:
  /// Reads what the options name; blocks for that, so call it before the runtime starts, or in
  /// blocking(). Errors: tls_errc::bad_file and key_mismatch, with the file's name and the
  /// reason, or errc::invalid_argument.
  [[nodiscard]] static result<tls_context> server(const tls_server_options& options);
  [[nodiscard]] static result<tls_context> client(const tls_client_options& options);
  /// Trusts the system's authorities.
  [[nodiscard]] static result<tls_context> client();

  [[nodiscard]] bool is_server() const noexcept;

  /// For transport/src.
  [[nodiscard]] const detail::tls_context_state& state() const noexcept { return *state_; }

 private:
  explicit tls_context(std::shared_ptr<const detail::tls_context_state> s) noexcept : state_(std::move(s)) {}

  std::shared_ptr<const detail::tls_context_state> state_;
};

/// A certificate and its key. Use designated initializers, as for all below.
struct tls_identity {
  /// The certificate, and behind it those of the authorities between it and the root.
  pem certificate;
  pem private_key = {};
  /// For an encrypted key.
  std::string key_password = {};
};

/// Another identity of a server, for clients that ask for this name.
struct tls_server_name {
  /// "db.example", or "*.example" for any one label.
  std::string name;
  /// A server's context: its certificate, client_ca, ALPN and versions hold for such a client.
  tls_context context;
};

struct tls_server_options {
  /// Required.
  tls_identity identity = {};
  /// Mutual TLS: a client must show a certificate that one of these authorities has signed.
  pem client_ca = {};
  /// With client_ca: a client may come without a certificate, but not with a wrong one.
  bool client_certificate_optional = false;
  /// Protocols this server speaks (ALPN), the best first. A client that names only others is
  /// rejected; one that names none is not.
  std::vector<std::string> alpn = {};
  tls_version minimum_version = tls_version::v1_2;
  /// Lets clients resume without a full handshake. The server keeps no state for it; its
  /// tickets end with the context.
  bool session_tickets = true;
  /// Other names of this server; a client that asks for none of them gets `identity`.
  std::vector<tls_server_name> names = {};
};

struct tls_client_options {
  /// The authorities that are trusted; none: those of the system.
  pem ca = {};
  /// The identity this client shows to a server that asks (mutual TLS); empty: none.
  tls_identity identity = {};
  /// Protocols this client offers (ALPN), the best first.
  std::vector<std::string> alpn = {};
  tls_version minimum_version = tls_version::v1_2;
  /// Accepts any certificate of any server, so a man in the middle can read and change
  /// everything. For experiments.
  bool insecure_accept_any_certificate = false;
};

}  // namespace troupe
