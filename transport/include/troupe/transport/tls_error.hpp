// The error codes of TLS, in addition to those of sockets.
#pragma once

#include <cstdint>
#include <system_error>

namespace troupe {

/// Error codes of TLS. The error's text names the certificate, the file or the peer.
enum class tls_errc : std::uint8_t {
  bad_file = 1,         ///< a certificate or key cannot be read, or is invalid
  key_mismatch,         ///< the private key belongs to another certificate
  not_tls,              ///< the peer does not speak TLS but, for example, plain HTTP
  certificate_refused,  ///< we do not accept the peer's certificate; the text says why
  refused_by_peer,      ///< the peer sent a fatal alert; the text names it
  handshake_failed,     ///< no common version or cipher, or the peer closed during the handshake
  truncated,            ///< the connection ended without close_notify: data may be truncated
  protocol_error,       ///< invalid data after the handshake: damaged, forged or replayed
};

/// The category of tls_errc, for std::error_code.
/// Threads: any.
[[nodiscard]] const std::error_category& tls_category() noexcept;

/// An error_code of tls_category().
[[nodiscard]] inline std::error_code make_error_code(tls_errc e) noexcept {
  return {static_cast<int>(e), tls_category()};
}

}  // namespace troupe

template <>
struct std::is_error_code_enum<troupe::tls_errc> : std::true_type {};
