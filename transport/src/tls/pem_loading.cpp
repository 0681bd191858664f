// Reads PEM files and text, and explains in a sentence what is wrong with them. Blocks on files.
#include "tls/pem_loading.hpp"

#include <troupe/transport/tls_error.hpp>

#include <openssl/pem.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace troupe::detail {

namespace {

constexpr std::size_t most_bytes = 16 * 1024 * 1024;  // of a file; a system's whole CA bundle has 250 KB

std::string place(const pem& from, std::string_view option) {
  return from.is_file() ? "'" + from.value() + "' (" + std::string(option) + ")"
                        : "the text given as " + std::string(option);
}

std::unexpected<error> bad_file(std::string text) {
  return std::unexpected(error(make_error_code(tls_errc::bad_file), std::move(text)));
}

struct close_file {
  void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

result<std::string> read(const pem& from, std::string_view option) {
  if (!from.is_file()) return from.value();
  const auto refuse = [&](const char* why) {
    return bad_file("cannot read " + place(from, option) + ": " + why);
  };
  const std::unique_ptr<std::FILE, close_file> file(std::fopen(from.value().c_str(), "rbe"));
  if (!file)
    return refuse(std::strerror(errno));  // NOLINT(concurrency-mt-unsafe): the C library's constant texts
  std::string all;
  char chunk[4096];
  while (const std::size_t n = std::fread(chunk, 1, sizeof chunk, file.get())) {
    all.append(chunk, n);
    if (all.size() > most_bytes) return refuse("it is too large for certificates");
  }
  if (std::ferror(file.get()) != 0) return refuse(std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
  return all;
}

// Supplies key_password. Without this callback OpenSSL would prompt on the terminal.
int give_password(char* into, int size, int, void* from) {
  const auto& password = *static_cast<const std::string*>(from);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(into, password.data(), password.size());
  return static_cast<int>(password.size());
}

bool at_end_of_pem() {
  const unsigned long last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

result<std::vector<x509_ptr>> certificates(const pem& from, std::string_view option) {
  result<std::string> text = read(from, option);
  if (!text) return std::unexpected(std::move(text.error()));
  const bio_ptr bytes(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  std::vector<x509_ptr> all;
  ERR_clear_error();
  while (X509* const one = PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr)) all.emplace_back(one);
  if (!at_end_of_pem()) {
    return bad_file("certificate " + std::to_string(all.size() + 1) + " in " + place(from, option) +
                    " is damaged: " + take_openssl_reason());
  }
  if (all.empty()) {
    return bad_file("there is no certificate in " + place(from, option) +
                    ": it must be in PEM form, which begins with -----BEGIN CERTIFICATE-----");
  }
  return all;
}

result<evp_pkey_ptr> private_key(const pem& from, std::string password, std::string_view option) {
  result<std::string> text = read(from, option);
  if (!text) return std::unexpected(std::move(text.error()));
  const bio_ptr bytes(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  ERR_clear_error();
  evp_pkey_ptr key(PEM_read_bio_PrivateKey(bytes.get(), nullptr, &give_password, &password));
  OPENSSL_cleanse(text->data(), text->size());
  OPENSSL_cleanse(password.data(), password.size());
  if (key) return key;
  std::string why = take_openssl_reason();
  if (!password.empty()) {
    why += "; is key_password right?";
  } else {
    why += "; a key in PEM form was expected, and key_password if it is encrypted";
  }
  return bad_file("cannot use the private key in " + place(from, option) + ": " + why);
}

}  // namespace

result<void> use_identity(SSL_CTX& context, const tls_identity& identity, std::string_view option) {
  const std::string certificate_option = std::string(option) + ".certificate";
  const std::string key_option = std::string(option) + ".private_key";
  if (identity.certificate.empty() || identity.private_key.empty()) {
    return std::unexpected(error(make_error_code(errc::invalid_argument),
                                 (identity.certificate.empty() ? certificate_option : key_option) +
                                     " is missing: a certificate and its key go together"));
  }
  auto chain = certificates(identity.certificate, certificate_option);
  if (!chain) return std::unexpected(std::move(chain.error()));
  auto key = private_key(identity.private_key, identity.key_password, key_option);
  if (!key) return std::unexpected(std::move(key.error()));
  if (X509_check_private_key(chain->front().get(), key->get()) != 1) {
    ERR_clear_error();
    return std::unexpected(error(make_error_code(tls_errc::key_mismatch),
                                 "the key in " + place(identity.private_key, key_option) +
                                     " does not belong to the first certificate in " +
                                     place(identity.certificate, certificate_option)));
  }
  const auto refuse = [&](const pem& what, const std::string& name) {
    return bad_file("OpenSSL cannot use " + place(what, name) + ": " + take_openssl_reason());
  };
  ERR_clear_error();
  if (SSL_CTX_use_certificate(&context, chain->front().get()) != 1) {
    return refuse(identity.certificate, certificate_option);
  }
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(&context, (*chain)[i].get()) != 1) {
      return refuse(identity.certificate, certificate_option);
    }
  }
  if (SSL_CTX_use_PrivateKey(&context, key->get()) != 1) return refuse(identity.private_key, key_option);
  return {};
}

result<void> trust(SSL_CTX& context, const pem& authorities, std::string_view option, bool tell_clients) {
  auto all = certificates(authorities, option);
  if (!all) return std::unexpected(std::move(all.error()));
  X509_STORE* const store = SSL_CTX_get_cert_store(&context);
  for (const x509_ptr& one : *all) {
    if (X509_STORE_add_cert(store, one.get()) != 1 ||
        (tell_clients && SSL_CTX_add_client_CA(&context, one.get()) != 1)) {
      return bad_file("cannot trust a certificate in " + place(authorities, option) + ": " +
                      take_openssl_reason());
    }
  }
  return {};
}

}  // namespace troupe::detail
