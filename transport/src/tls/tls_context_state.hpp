// The shared state of a tls_context. Immutable once it is built, so any thread may read it.
#pragma once

#include "tls/openssl.hpp"

#include <troupe/transport/tls_context.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace troupe::detail {

class tls_context_state {
 public:
  ssl_ctx_ptr context;
  bool server = false;
  bool verify_peer = false;
  /// In wire format: each name is preceded by a byte with its length.
  std::string alpn;
  struct named {
    std::string name;  // lower case; "*.x" for any one label before x
    tls_context context;
  };
  std::vector<named> names;

  /// The context for a client that requests `name`; null for this one.
  [[nodiscard]] const tls_context_state* find(std::string_view name) const noexcept;
};

}  // namespace troupe::detail
