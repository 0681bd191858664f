// OpenSSL's error queue, names and times as text. Any thread.
#include "tls/openssl.hpp"

namespace troupe::detail {

namespace {

std::string contents(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace

std::string take_openssl_reason() {
  const char* details = nullptr;
  int flags = 0;
  const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &details, &flags);
  if (code == 0) return "reason unknown";
  const char* const reason = ERR_reason_error_string(code);
  std::string text = reason != nullptr ? reason : "error " + std::to_string(code);
  if ((flags & ERR_TXT_STRING) != 0 && details != nullptr && *details != '\0') {
    text.append(" (").append(details).append(")");
  }
  ERR_clear_error();
  return text;
}

std::string text_of(const X509_NAME* name) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (!memory || name == nullptr) return {};
  X509_NAME_print_ex(memory.get(), name, 0,
                     XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  return contents(memory.get());
}

std::string text_of(const ASN1_TIME* time) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (!memory || time == nullptr) return {};
  ASN1_TIME_print(memory.get(), time);
  return contents(memory.get());
}

}  // namespace troupe::detail
