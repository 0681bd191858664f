// Reads the names and the digest of an X.509 certificate. Any thread.
#include "tls/tls_certificate.hpp"

#include <openssl/x509v3.h>

#include <arpa/inet.h>

namespace troupe::detail {

namespace {

using names_ptr = std::unique_ptr<GENERAL_NAMES, openssl_free<&GENERAL_NAMES_free>>;

// Null bytes and other control characters, which a forged name may contain, are shown as '?'.
std::string text_in(const ASN1_STRING* s) {
  std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)),
                   static_cast<std::size_t>(ASN1_STRING_length(s)));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  return text;
}

std::string address_in(const ASN1_STRING* s) {
  char text[INET6_ADDRSTRLEN] = "?";
  const int size = ASN1_STRING_length(s);
  if (size == 4 || size == 16) {
    ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof text);
  }
  return text;
}

std::string digest_of(const X509& certificate) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), bytes, &size) != 1) return {};
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text.push_back(digits[bytes[i] >> 4U]);
    text.push_back(digits[bytes[i] & 15U]);
  }
  return text;
}

}  // namespace

tls_certificate describe_certificate(const X509& certificate) {
  tls_certificate c;
  c.subject = text_of(X509_get_subject_name(&certificate));
  c.issuer = text_of(X509_get_issuer_name(&certificate));
  c.sha256 = digest_of(certificate);
  const names_ptr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < (names ? sk_GENERAL_NAME_num(names.get()) : 0); ++i) {
    const GENERAL_NAME* const n = sk_GENERAL_NAME_value(names.get(), i);
    switch (n->type) {
      case GEN_DNS:
        c.dns_names.push_back(text_in(n->d.dNSName));
        break;
      case GEN_IPADD:
        c.ip_addresses.push_back(address_in(n->d.iPAddress));
        break;
      case GEN_EMAIL:
        c.email_addresses.push_back(text_in(n->d.rfc822Name));
        break;
      case GEN_URI:
        c.uris.push_back(text_in(n->d.uniformResourceIdentifier));
        break;
      default:
        break;
    }
  }
  return c;
}

}  // namespace troupe::detail
