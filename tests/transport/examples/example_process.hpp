// The example programs as child processes.
#pragma once

#include "support/blocking_client.hpp"
#include "support/child_process.hpp"

#include <string>
#include <utility>
#include <vector>

namespace troupe_test {

/// An example server on a free port, with its log in its own directory.
class example {
 public:
  explicit example(const std::string& name, std::vector<std::string> arguments = {}, child_limits most = {})
      : process_(words(name, std::move(arguments)), directory_ / "log", most) {
    INFO(process_.log());
    REQUIRE(process_.port() != 0);
  }

  [[nodiscard]] int port() const { return process_.port(); }
  [[nodiscard]] blocking_client connect(int receive_buffer = 0) const {
    return blocking_client(port(), receive_buffer);
  }
  child_process* operator->() { return &process_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  static std::string path(const std::string& name) {
    return std::string(TROUPE_EXAMPLES) + "/troupe-" + name;
  }

 private:
  static std::vector<std::string> words(const std::string& name, std::vector<std::string> arguments) {
    std::vector<std::string> all = {path(name), "--port", "0"};
    for (std::string& a : arguments) all.push_back(std::move(a));
    return all;
  }

  scratch_directory directory_;
  child_process process_;
};

}  // namespace troupe_test
