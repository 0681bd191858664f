// The socket of a tls_channel as a BIO of OpenSSL.
#pragma once

#include "tls/openssl.hpp"

namespace troupe::detail {

class tls_channel;

struct tls_bio {
  /// Null when there is no memory. Refers to the channel, which owns the SSL that owns this.
  [[nodiscard]] static BIO* make(tls_channel& channel) noexcept;
  static int write(BIO* bio, const char* bytes, int size) noexcept;
  static int read(BIO* bio, char* into, int size) noexcept;
  static long control(BIO* bio, int command, long number, void* pointer) noexcept;
};

}  // namespace troupe::detail
