// Builds SSL_CTX objects from options, and chooses among them by the name that a client requests.
#include "tls/openssl.hpp"
#include "tls/pem_loading.hpp"
#include "tls/tls_context_state.hpp"

#include <troupe/transport/tls_context.hpp>
#include <troupe/transport/tls_error.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace troupe {

using detail::ssl_ctx_ptr;
using detail::tls_context_state;

namespace {

// The TLS 1.2 suites with forward secrecy and AEAD. All suites of TLS 1.3 have both.
constexpr const char* ciphers_of_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string lower(std::string_view name) {
  std::string all(name);
  for (char& c : all) c = lower(c);
  return all;
}

std::unexpected<error> invalid(std::string text) {
  return std::unexpected(error(make_error_code(errc::invalid_argument), std::move(text)));
}

result<std::string> alpn_on_the_wire(const std::vector<std::string>& protocols) {
  std::string all;
  for (const std::string& one : protocols) {
    if (one.empty() || one.size() > 255)
      return invalid("alpn: a protocol name must have 1 to 255 bytes: '" + one + "'");
    all.push_back(static_cast<char>(one.size()));
    all += one;
  }
  if (all.size() > 65'535) return invalid("alpn: the names must not exceed 65535 bytes in total");
  return all;
}

// The host name in a ClientHello's server_name extension (RFC 6066); empty if there is none.
std::string_view name_in(const unsigned char* extension, std::size_t size) noexcept {
  // length of the list (2), type (1; 0 is a host name), its length (2), the name
  if (size < 5 || extension[2] != 0) return {};
  const std::size_t length = std::size_t{extension[3]} << 8U | extension[4];
  if (length > size - 5) return {};
  return {reinterpret_cast<const char*>(extension + 5), length};
}

const tls_context_state& state_of(SSL_CTX* context) noexcept {
  return *static_cast<const tls_context_state*>(SSL_CTX_get_app_data(context));
}

// Called before OpenSSL reads the rest of the ClientHello, so that certificate, authorities, versions and
// tickets are all those of the name that the client requests.
int choose_context(SSL* ssl, int*, void*) noexcept {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size) != 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  const tls_context_state* const other = state_of(SSL_get_SSL_CTX(ssl)).find(name_in(extension, size));
  if (other == nullptr) return SSL_CLIENT_HELLO_SUCCESS;
  SSL_CTX* const context = other->context.get();
  if (SSL_set_SSL_CTX(ssl, context) == nullptr) return SSL_CLIENT_HELLO_ERROR;
  // Settings that SSL_set_SSL_CTX() does not change.
  SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), SSL_get_verify_callback(ssl));
  SSL_set_min_proto_version(ssl, static_cast<int>(SSL_CTX_get_min_proto_version(context)));
  SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context));
  SSL_clear_options(ssl, SSL_OP_NO_TICKET);
  SSL_set_options(ssl, SSL_CTX_get_options(context));
  return SSL_CLIENT_HELLO_SUCCESS;
}

int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) noexcept {
  const std::string& ours = state_of(SSL_get_SSL_CTX(ssl)).alpn;
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                          static_cast<unsigned>(ours.size()), offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

result<std::shared_ptr<tls_context_state>> make_state(bool server, tls_version minimum,
                                                      const std::vector<std::string>& alpn) {
  auto state = std::make_shared<tls_context_state>();
  auto wire = alpn_on_the_wire(alpn);
  if (!wire) return std::unexpected(std::move(wire.error()));
  state->server = server;
  state->alpn = std::move(*wire);
  state->context.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = state->context.get();
  if (context == nullptr) throw std::bad_alloc();
  SSL_CTX_set_app_data(context, state.get());
  SSL_CTX_set_min_proto_version(context, minimum == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, ciphers_of_1_2);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Keep buffers only while they hold data. A step of the stream is one record, so a flood of empty records
  // does not occupy the worker.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  // Read a header and its record in one system call.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return state;
}

}  // namespace

const tls_context_state* tls_context_state::find(std::string_view asked) const noexcept {
  const auto same = [](std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == y; });
  };
  for (const named& n : names) {
    std::string_view have = n.name;
    std::string_view want = asked;
    if (have.starts_with("*.")) {
      const std::size_t dot = want.find('.');
      if (dot == 0 || dot == std::string_view::npos) continue;
      have.remove_prefix(1);
      want.remove_prefix(dot);
    }
    if (same(want, have)) return &n.context.state();
  }
  return nullptr;
}

result<tls_context> tls_context::server(const tls_server_options& options) {
  auto state = make_state(true, options.minimum_version, options.alpn);
  if (!state) return std::unexpected(std::move(state.error()));
  tls_context_state& s = **state;
  SSL_CTX* const context = s.context.get();
  if (result<void> used = detail::use_identity(*context, options.identity, "identity"); !used) {
    return std::unexpected(std::move(used.error()));
  }
  if (options.client_ca.empty() && options.client_certificate_optional) {
    return invalid("client_certificate_optional has no effect without client_ca: set client_ca");
  }
  if (!options.client_ca.empty()) {
    if (result<void> read = detail::trust(*context, options.client_ca, "client_ca", true); !read) {
      return std::unexpected(std::move(read.error()));
    }
    SSL_CTX_set_verify(
        context,
        SSL_VERIFY_PEER | (options.client_certificate_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
        nullptr);
    s.verify_peer = true;
  }
  // A ticket issued by one context must not be valid for another, which may trust other authorities.
  unsigned char id[16];
  if (RAND_bytes(id, sizeof id) != 1 || SSL_CTX_set_session_id_context(context, id, sizeof id) != 1) {
    return std::unexpected(
        error(make_error_code(tls_errc::handshake_failed),
              "cannot get random bytes for a TLS context: " + detail::take_openssl_reason()));
  }
  if (!options.session_tickets) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  }
  if (!s.alpn.empty()) SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
  for (const tls_server_name& n : options.names) {
    if (n.name.empty() || !n.context.is_server()) {
      return invalid("names: '" + n.name + "' needs a name and a context made by tls_context::server()");
    }
    s.names.push_back({lower(n.name), n.context});
  }
  if (!s.names.empty()) SSL_CTX_set_client_hello_cb(context, &choose_context, nullptr);
  return tls_context(std::move(*state));
}

result<tls_context> tls_context::client(const tls_client_options& options) {
  auto state = make_state(false, options.minimum_version, options.alpn);
  if (!state) return std::unexpected(std::move(state.error()));
  tls_context_state& s = **state;
  SSL_CTX* const context = s.context.get();
  const tls_identity& identity = options.identity;
  if (!identity.certificate.empty() || !identity.private_key.empty()) {
    if (result<void> used = detail::use_identity(*context, identity, "identity"); !used) {
      return std::unexpected(std::move(used.error()));
    }
  }
  s.verify_peer = !options.insecure_accept_any_certificate;
  if (!options.ca.empty()) {
    if (result<void> read = detail::trust(*context, options.ca, "ca", false); !read) {
      return std::unexpected(std::move(read.error()));
    }
  } else if (s.verify_peer && SSL_CTX_set_default_verify_paths(context) != 1) {
    return std::unexpected(
        error(make_error_code(tls_errc::bad_file),
              "cannot read the certificates of the system's authorities: " + detail::take_openssl_reason() +
                  "; install ca-certificates, or set ca to a file"));
  }
  SSL_CTX_set_verify(context, s.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (!s.alpn.empty() &&
      SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(s.alpn.data()),
                              static_cast<unsigned>(s.alpn.size())) != 0) {
    return invalid("alpn: OpenSSL refuses these names: " + detail::take_openssl_reason());
  }
  return tls_context(std::move(*state));
}

result<tls_context> tls_context::client() {
  return client(tls_client_options());
}

bool tls_context::is_server() const noexcept {
  return state_->server;
}

}  // namespace troupe
