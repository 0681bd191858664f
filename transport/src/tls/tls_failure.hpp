// The errors of TLS: OpenSSL's reasons as codes and sentences. Any thread.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/runtime/error.hpp>

#include <string>
#include <system_error>

namespace troupe::detail {

/// Why an operation of OpenSSL failed.
struct tls_reason {
  std::error_code code;
  std::string text;
};
/// The reason of the last failure; clears this thread's OpenSSL queue. In a handshake an invalid record means
/// that the peer does not speak TLS.
[[nodiscard]] tls_reason take_tls_reason(bool in_handshake);

/// Why the certificate that `store` is verifying is not accepted. `wanted`: the host it should be for.
[[nodiscard]] std::string why_refused(X509_STORE_CTX& store, const std::string& wanted);

}  // namespace troupe::detail
