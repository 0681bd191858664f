// Certificates and keys from files or text into a context of OpenSSL. Blocks on files.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/runtime/error.hpp>
#include <troupe/transport/tls_context.hpp>

#include <string_view>

namespace troupe::detail {

/// The certificate, its chain and its key. `option` names them in errors.
[[nodiscard]] result<void> use_identity(SSL_CTX& context, const tls_identity& identity,
                                        std::string_view option);
/// Trusts the certificates in `authorities`; a server also names them to its clients.
[[nodiscard]] result<void> trust(SSL_CTX& context, const pem& authorities, std::string_view option,
                                 bool tell_clients);

}  // namespace troupe::detail
