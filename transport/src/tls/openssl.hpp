// OpenSSL's objects with owners, and its errors as text. No header outside of
// transport/src sees OpenSSL.
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

/// The oldest error of this thread's queue in OpenSSL's words, "reason unknown" for none; empties
/// the queue. Right behind the call that failed: the queue belongs to the thread.
[[nodiscard]] std::string take_openssl_reason();

/// A name as in RFC 2253, readable: "CN=alice,O=Example".
[[nodiscard]] std::string text_of(const X509_NAME* name);
/// "Nov 23 12:00:00 2026 GMT"
[[nodiscard]] std::string text_of(const ASN1_TIME* time);

}  // namespace troupe::detail
