// The contents of a certificate as text. Any thread.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/transport/tls_stream.hpp>

namespace troupe::detail {

[[nodiscard]] tls_certificate describe_certificate(const X509& certificate);

}  // namespace troupe::detail
