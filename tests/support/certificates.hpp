// Certificates made by the openssl tool when the first test asks for them.
#pragma once

#include <troupe/transport/tls_context.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace troupe_test {

/// A directory of its own for the process, removed at its end.
class certificate_folder {
 public:
  static const certificate_folder& get() {
    static const certificate_folder the_folder;
    return the_folder;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] troupe::pem file(const std::string& name) const { return troupe::pem::file(path(name)); }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream in(path(name));
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }
  [[nodiscard]] troupe::tls_identity identity(const std::string& name) const {
    return {.certificate = file(name + ".crt"), .private_key = file(name + ".key")};
  }

 private:
  certificate_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-tls-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    folder_ = name;
    std::ofstream(path("make")) << script;
    const std::string command = "cd '" + name + "' && sh -e ./make >log 2>&1";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed:\n" + text("log"));
  }
  certificate_folder(const certificate_folder&) = delete;
  certificate_folder& operator=(const certificate_folder&) = delete;
  ~certificate_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  // authority <name> <subject>;  leaf <name> <authority> <subject> <extensions> [options of x509]
  static constexpr const char* script = R"(
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
authority() {
  key "$1"
  openssl req -x509 -new -key "$1.key" -sha256 -days 3 -subj "$2" -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}
leaf() {
  name=$1 by=$2 subject=$3 extensions=$4
  shift 4
  key "$name"
  openssl req -new -key "$name.key" -sha256 -subj "$subject" -out "$name.csr"
  printf '%s\n' "$extensions" > "$name.ext"
  openssl x509 -req -in "$name.csr" -CA "$by.crt" -CAkey "$by.key" -CAcreateserial -sha256 \
    -extfile "$name.ext" -out "$name.crt" "$@"
}
# x509 takes no end before the start since OpenSSL 3.4; ca takes both as they are given.
expired() {
  key expired
  openssl req -new -key expired.key -sha256 -subj "$2" -out expired.csr
  printf '%s\n' "$3" > expired.ext
  printf '[ca]\ndefault_ca=a\n[a]\ndatabase=issued\nserial=ca.srl\npolicy=p\n[p]\ncommonName=supplied\n' \
    > ca.cnf
  : > issued
  openssl ca -batch -config ca.cnf -in expired.csr -cert "$1.crt" -keyfile "$1.key" -extfile expired.ext \
    -md sha256 -startdate 20200101000000Z -enddate 20200102000000Z -outdir . -notext -out expired.crt
}
authority ca /CN=Test-Authority
authority other_ca /CN=Other-Authority
leaf server ca /CN=server 'subjectAltName=DNS:localhost,DNS:db.example,IP:127.0.0.1' -days 2
leaf wild ca /CN=wild 'subjectAltName=DNS:*.wild.example' -days 2
leaf second ca /CN=second 'subjectAltName=DNS:second.example' -days 2
leaf stranger other_ca /CN=stranger 'subjectAltName=DNS:localhost' -days 2
expired ca /CN=expired 'subjectAltName=DNS:localhost'
leaf alice ca '/O=Example/CN=alice' \
  'subjectAltName=DNS:alice.example,IP:::1,email:alice@example.org,URI:spiffe://example/alice' -days 2
leaf mallory other_ca /CN=mallory 'subjectAltName=DNS:mallory.example' -days 2
leaf middle ca /CN=Middle-Authority 'basicConstraints=critical,CA:TRUE' -days 2
leaf below middle /CN=below 'subjectAltName=DNS:localhost' -days 2
cat below.crt middle.crt > chain.crt
cp below.key chain.key
key selfsigned
openssl req -x509 -new -key selfsigned.key -sha256 -days 2 -subj /CN=selfsigned \
  -addext subjectAltName=DNS:localhost -out selfsigned.crt
openssl pkcs8 -topk8 -in server.key -passout pass:secret -out locked.key
printf 'hello\n' > nonsense.pem
head -c 300 server.crt > cut.crt
printf '\n-----END CERTIFICATE-----\n' >> cut.crt
)";
  std::filesystem::path folder_;
};

inline const certificate_folder& certificates() {
  return certificate_folder::get();
}

}  // namespace troupe_test
