// Owning handles for OpenSSL's objects, and its errors and names as text. Any thread.
//
// No header outside of transport/src includes OpenSSL.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace troupe::detail {

template <auto Free>
struct openssl_free {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

using bio_ptr = std::unique_ptr<BIO, openssl_free<&BIO_free_all>>;
using evp_pkey_ptr = std::unique_ptr<EVP_PKEY, openssl_free<&EVP_PKEY_free>>;
using ssl_ptr = std::unique_ptr<SSL, openssl_free<&SSL_free>>;
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, openssl_free<&SSL_CTX_free>>;
using x509_ptr = std::unique_ptr<X509, openssl_free<&X509_free>>;

/// The text of the oldest error in this thread's OpenSSL queue, "reason unknown" if it is empty. Clears the
/// queue. Call it right after the call that failed, on the same thread.
[[nodiscard]] std::string take_openssl_reason();

/// A distinguished name in the form of RFC 2253, such as "CN=alice,O=Example".
[[nodiscard]] std::string text_of(const X509_NAME* name);
/// A time, such as "Nov 23 12:00:00 2026 GMT".
[[nodiscard]] std::string text_of(const ASN1_TIME* time);

}  // namespace troupe::detail
