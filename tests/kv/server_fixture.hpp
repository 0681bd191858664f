// A troupe-kv process on a free port with its own data directory, a blocking RESP client, and redis-cli, for
// tests of the whole server. Each object ends its process and removes its files.
#pragma once

#include "kv/net/reply.hpp"
#include "support/blocking_client.hpp"
#include "support/catch.hpp"
#include "support/child_process.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace kv_test {

using namespace std::chrono_literals;
using troupe_test::scratch_directory;
using troupe_test::shell;
using troupe_test::shell_result;

/// True when redis-cli and redis-benchmark are installed; otherwise prints that the test is skipped.
inline bool has_redis_tools() {
  return troupe_test::has_program("redis-cli", "redis-tools") &&
         troupe_test::has_program("redis-benchmark", "redis-tools");
}

class server {
 public:
  /// Starts the server; REQUIREs that it becomes ready.
  explicit server(const scratch_directory& data, std::vector<std::string> arguments = {},
                  rlim_t most_file_bytes = 0)
      : data_(data / "data"),
        process_(words(data_, std::move(arguments)), data / "log", {.file_bytes = most_file_bytes}) {
    INFO(log());
    REQUIRE(process_.is_ready());
  }

  int port() const { return process_.port(); }
  int tls_port() const { return process_.said(" tls-port="); }
  pid_t id() const { return process_.id(); }
  std::filesystem::path journal(int shard) const {
    return data_ / ("shard-" + std::to_string(shard) + ".journal");
  }
  std::string log() const { return process_.log(); }

  /// The exit status after SIGTERM; -1 when it did not end within 15 s.
  int terminate() { return process_.terminate(); }
  int wait(std::chrono::milliseconds patience) { return process_.wait(patience); }
  /// kill -9
  void kill() { process_.kill(); }

  /// Runs one redis-cli with these words; returns its output without the last newline.
  std::string cli(const std::string& words) const {
    shell_result r = shell("timeout 20 redis-cli -p " + std::to_string(port()) + " " + words);
    while (r.out.ends_with('\n')) r.out.pop_back();
    return r.out;
  }

  /// Starts a server that must fail to start; returns its exit status and its output.
  static shell_result refused(const scratch_directory& data, const std::string& arguments,
                              const std::string& port = "0") {
    return shell(std::string("timeout 20 ") + TROUPE_KV_SERVER + " --port " + port + " --dir " +
                 (data / "data").string() + " " + arguments);
  }

 private:
  static std::vector<std::string> words(const std::filesystem::path& data,
                                        std::vector<std::string> arguments) {
    std::vector<std::string> all = {TROUPE_KV_SERVER, "--port", "0", "--dir", data.string()};
    for (std::string& a : arguments) all.push_back(std::move(a));
    return all;
  }

  std::filesystem::path data_;
  troupe_test::child_process process_;
};

/// A blocking connection that reads complete replies.
class client : public troupe_test::blocking_client {
 public:
  using blocking_client::blocking_client;

  /// The bytes of the next reply; empty at the end of the connection.
  std::string receive() {
    std::size_t size;
    while ((size = kv::reply::first_length(received())) == 0) {
      if (!read_some()) return {};
    }
    return blocking_client::receive(size);
  }
  std::string run(const std::vector<std::string>& args) {
    return send(request(args)) ? receive() : std::string();
  }

  static std::string request(const std::vector<std::string>& args) {
    std::string bytes;
    kv::reply::array(bytes, args.size());
    for (const std::string& arg : args) kv::reply::bulk(bytes, arg);
    return bytes;
  }
};

}  // namespace kv_test
