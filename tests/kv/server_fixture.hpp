// A real troupe-kv on a free port with a data directory of its own, a blocking client, and the shell, for
// tests of the whole server. Everything ends and goes with its object.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kv/reply.hpp"
#include "support/catch.hpp"

namespace kv_test {

using namespace std::chrono_literals;

/// A directory that goes with the object.
class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-kv-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// How a shell command ended, and what it printed.
struct shell_result {
  int status = -1;
  std::string out;
};

inline shell_result shell(const std::string& command) {
  shell_result r;
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return r;
  char bytes[4096];
  for (std::size_t got; (got = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;) r.out.append(bytes, got);
  const int status = ::pclose(pipe);
  r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return r;
}

/// Whether Debian's redis-tools are there; says so when they are not, and the test that asked is over.
inline bool has_redis_tools() {
  static const bool found = shell("command -v redis-cli && command -v redis-benchmark").status == 0;
  if (!found) WARN("skipped: redis-cli and redis-benchmark are not installed (Debian: redis-tools)");
  return found;
}

class server {
 public:
  /// Starts it; REQUIREs that it becomes ready.
  explicit server(const scratch_directory& data, std::vector<std::string> arguments = {},
                  rlim_t most_file_bytes = 0)
      : data_(data / "data"), log_(data / "log") {
    launch(std::move(arguments), most_file_bytes);
    INFO(log());
    REQUIRE(port_ != 0);
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server() { kill(); }

  int port() const { return port_; }
  pid_t id() const { return child_; }
  std::filesystem::path journal(int shard) const {
    return data_ / ("shard-" + std::to_string(shard) + ".journal");
  }
  std::string log() const {
    std::ostringstream all;
    all << std::ifstream(log_).rdbuf();
    return all.str();
  }

  /// The exit status after SIGTERM; -1 when it did not end by itself within 15 s.
  int terminate() {
    ::kill(child_, SIGTERM);
    return wait(15s);
  }
  int wait(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    int status = 0;
    while (::waitpid(child_, &status, WNOHANG) != child_) {
      if (std::chrono::steady_clock::now() > until) return -1;
      std::this_thread::sleep_for(2ms);
    }
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  /// kill -9
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

  /// One redis-cli with these words; its output without the last newline.
  std::string cli(const std::string& words) const {
    shell_result r = shell("timeout 20 redis-cli -p " + std::to_string(port_) + " " + words);
    while (r.out.ends_with('\n')) r.out.pop_back();
    return r.out;
  }

  /// Starts a server that is not expected to get ready: its exit status, and what it said.
  static shell_result refused(const scratch_directory& data, const std::string& arguments,
                              const std::string& port = "0") {
    return shell(std::string("timeout 20 ") + TROUPE_KV_SERVER + " --port " + port + " --dir " +
                 (data / "data").string() + " " + arguments);
  }

 private:
  void launch(std::vector<std::string> arguments, rlim_t most_file_bytes) {
    std::vector<std::string> words = {TROUPE_KV_SERVER, "--port", "0", "--dir", data_.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log_name = log_.string();
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      if (most_file_bytes != 0) {
        const rlimit limit{most_file_bytes, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &limit);
      }
      ::dup2(pipe[1], STDOUT_FILENO);
      ::dup2(::open(log_name.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(pipe[1]);
    std::string said;
    char byte = 0;
    pollfd ready{pipe[0], POLLIN, 0};
    while (byte != '\n' && ::poll(&ready, 1, 20'000) > 0 && ::read(pipe[0], &byte, 1) == 1) said += byte;
    ::close(pipe[0]);
    constexpr std::string_view prefix = "READY port=";
    if (said.starts_with(prefix)) port_ = std::atoi(said.c_str() + prefix.size());
  }

  std::filesystem::path data_;
  std::filesystem::path log_;
  pid_t child_ = -1;
  int port_ = 0;
};

/// A blocking connection. Nothing on it waits for longer than 20 s.
class client {
 public:
  explicit client(int port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  client(client&& o) noexcept
      : socket_(std::exchange(o.socket_, -1)), connected_(o.connected_), received_(std::move(o.received_)) {}
  client& operator=(client&&) = delete;
  ~client() {
    if (socket_ >= 0) ::close(socket_);
  }

  bool connected() const { return connected_; }

  /// False when the peer has gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// The next reply as it came; empty at the end of the connection.
  std::string receive() {
    std::size_t size;
    while ((size = kv::reply::first_length(received_)) == 0) {
      if (!read_some()) return {};
    }
    std::string reply = received_.substr(0, size);
    received_.erase(0, size);
    return reply;
  }
  std::string run(const std::vector<std::string>& args) {
    return send(request(args)) ? receive() : std::string();
  }
  /// All that comes until the peer closes; a reset ends it too.
  std::string rest() {
    while (read_some()) {
    }
    return std::exchange(received_, {});
  }

  static std::string request(const std::vector<std::string>& args) {
    std::string bytes;
    kv::reply::array(bytes, args.size());
    for (const std::string& arg : args) kv::reply::bulk(bytes, arg);
    return bytes;
  }

 private:
  bool read_some() {
    char bytes[65536];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
};

}  // namespace kv_test
