// The errors of TLS: OpenSSL's reasons as error codes and texts.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/runtime/error.hpp>

#include <string>
#include <system_error>

namespace troupe::detail {

/// Why the last operation on a connection failed; empties OpenSSL's queue of this thread. In a
/// handshake the peer may turn out not to speak TLS at all.
struct tls_reason {
  std::error_code code;
  std::string text;
};
[[nodiscard]] tls_reason take_tls_reason(bool in_handshake);

/// Why the certificate that `store` looks at is not accepted. `wanted`: the host that the client asked for.
[[nodiscard]] std::string why_refused(X509_STORE_CTX& store, const std::string& wanted);

}  // namespace troupe::detail
