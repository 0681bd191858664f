// The category of tls_errc, and the sentences for OpenSSL's reasons, alerts and refused certificates.
#include "tls/tls_failure.hpp"

#include "tls/tls_certificate.hpp"

#include <troupe/transport/tls_error.hpp>
#include <troupe/transport/tls_stream.hpp>

#include <openssl/x509_vfy.h>

namespace troupe {

namespace {

class category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "troupe.tls"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<tls_errc>(value)) {
      case tls_errc::bad_file:
        return "a certificate or key cannot be used";
      case tls_errc::key_mismatch:
        return "the private key does not belong to the certificate";
      case tls_errc::not_tls:
        return "the peer does not speak TLS";
      case tls_errc::certificate_refused:
        return "the peer's certificate is not accepted";
      case tls_errc::refused_by_peer:
        return "the peer refused";
      case tls_errc::handshake_failed:
        return "the TLS handshake failed";
      case tls_errc::truncated:
        return "the connection ended without close_notify; data may be truncated";
      case tls_errc::protocol_error:
        return "the peer sent invalid TLS data";
    }
    return "unknown TLS error";
  }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const category the_category;
  return the_category;
}

namespace detail {

namespace {

// OpenSSL reports a fatal alert of the peer as this offset plus the alert's number.
constexpr int first_alert = SSL_AD_REASON_OFFSET;
constexpr int last_alert = SSL_AD_REASON_OFFSET + 255;

std::string alert_text(int alert, const std::string& words) {
  std::string text = "the peer refused: " + words;
  switch (alert) {
    case SSL_AD_UNKNOWN_CA:
      return text + ": it does not trust the authority of our certificate";
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return text +
             ": it requires a client certificate, and none was sent (set identity in tls_client_options)";
    case SSL_AD_PROTOCOL_VERSION:
      return text + ": no version of TLS is common to both";
    case SSL_AD_HANDSHAKE_FAILURE:
      return text + ": no cipher is common to both, or it requires a client certificate";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return text + ": it speaks none of the protocols in alpn";
    default:
      return text;
  }
}

std::string list(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& n : names) all.append(all.empty() ? "" : ", ").append(n);
  return all;
}

}  // namespace

tls_reason take_tls_reason(bool in_handshake) {
  const unsigned long first = ERR_peek_error();
  const int reason = ERR_GET_LIB(first) == ERR_LIB_SSL ? ERR_GET_REASON(first) : 0;
  std::string words = take_openssl_reason();
  if (reason > first_alert && reason <= last_alert) {
    return {make_error_code(tls_errc::refused_by_peer), alert_text(reason - first_alert, words)};
  }
  if (!in_handshake) return {make_error_code(tls_errc::protocol_error), std::move(words)};
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return {make_error_code(tls_errc::not_tls), "the peer speaks plain HTTP here; it must use https"};
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_RECORD_TOO_SMALL:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
      return {make_error_code(tls_errc::not_tls), "the peer's data is not TLS: " + words};
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return {make_error_code(tls_errc::certificate_refused),
              "the client sent no certificate, and client_ca requires one"};
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return {make_error_code(tls_errc::handshake_failed),
              "no version of TLS is common to both (minimum_version): " + words};
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return {make_error_code(tls_errc::handshake_failed),
              "the client speaks none of the protocols in alpn: " + words};
    default:
      return {make_error_code(tls_errc::handshake_failed), std::move(words)};
  }
}

std::string why_refused(X509_STORE_CTX& store, const std::string& wanted) {
  X509* const one = X509_STORE_CTX_get_current_cert(&store);
  const int why = X509_STORE_CTX_get_error(&store);
  std::string text = "the certificate";
  if (one == nullptr) return text + " is not accepted: " + X509_verify_cert_error_string(why);
  if (X509_STORE_CTX_get_error_depth(&store) > 0) text += " of an authority in its chain,";
  text.append(" '").append(text_of(X509_get_subject_name(one))).append("'");
  switch (why) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return text + " has expired, on " + text_of(X509_get0_notAfter(one));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return text + " is not valid before " + text_of(X509_get0_notBefore(one)) + "; is the clock right?";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return text + " is self-signed, and is not trusted here";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return text + " comes from an authority that is not trusted here: '" +
             text_of(X509_get_issuer_name(one)) + "'";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      const tls_certificate c = describe_certificate(*one);
      std::vector<std::string> names = c.dns_names;
      names.insert(names.end(), c.ip_addresses.begin(), c.ip_addresses.end());
      return text + " is not for '" + wanted + "' but for " +
             (names.empty() ? "no host" : "'" + list(names) + "'");
    }
    default:
      return text + " is not accepted: " + X509_verify_cert_error_string(why);
  }
}

}  // namespace detail
}  // namespace troupe
