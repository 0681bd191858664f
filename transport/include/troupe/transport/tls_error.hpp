// The errors of TLS, in addition to those of a socket.
#pragma once

#include <cstdint>
#include <system_error>

namespace troupe {

/// Codes of TLS. The error's text says which certificate, which file, which peer.
enum class tls_errc : std::uint8_t {
  bad_file = 1,         ///< a certificate or key cannot be read, or has the wrong content
  key_mismatch,         ///< the private key belongs to another certificate
  not_tls,              ///< the peer speaks another protocol, such as plain HTTP
  certificate_refused,  ///< the peer's certificate is not accepted here; the text says why
  refused_by_peer,      ///< the peer ended it with an alert; the text names it
  handshake_failed,     ///< no common version or cipher, or the peer went away meanwhile
  truncated,            ///< the connection ended without the peer's close_notify: data may be truncated
  protocol_error,       ///< after the handshake: a record that was damaged, forged or replayed
};

/// The category of tls_errc, for std::error_code.
[[nodiscard]] const std::error_category& tls_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(tls_errc e) noexcept {
  return {static_cast<int>(e), tls_category()};
}

}  // namespace troupe

template <>
struct std::is_error_code_enum<troupe::tls_errc> : std::true_type {};
