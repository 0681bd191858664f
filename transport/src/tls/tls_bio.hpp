// The OpenSSL BIO through which a tls_channel's SSL reads and writes its socket. On the channel's strand.
#pragma once

#include "tls/openssl.hpp"

namespace troupe::detail {

class tls_channel;

struct tls_bio {
  /// Null if memory is out. Refers to the channel, which owns the SSL, which owns the BIO.
  [[nodiscard]] static BIO* make(tls_channel& channel) noexcept;
  static int write(BIO* bio, const char* bytes, int size) noexcept;
  static int read(BIO* bio, char* into, int size) noexcept;
  static long control(BIO* bio, int command, long number, void* pointer) noexcept;
};

}  // namespace troupe::detail
