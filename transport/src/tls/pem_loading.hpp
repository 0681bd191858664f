// Loads certificates and keys from files or text into an SSL_CTX that is being built. Blocks on files.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/runtime/error.hpp>
#include <troupe/transport/tls_context.hpp>

#include <string_view>

namespace troupe::detail {

/// Sets the certificate, its chain and its key. `option` is the option's name for error texts.
[[nodiscard]] result<void> use_identity(SSL_CTX& context, const tls_identity& identity,
                                        std::string_view option);
/// Trusts the certificates in `authorities`. `tell_clients`: a server also names them to its clients.
[[nodiscard]] result<void> trust(SSL_CTX& context, const pem& authorities, std::string_view option,
                                 bool tell_clients);

}  // namespace troupe::detail
