// A troupe-kv as a child process, with a data directory that is removed at the end. Used by main only.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace kv_demo {

class server_process {
 public:
  /// Creates a new directory in the system's temporary directory.
  explicit server_process(std::filesystem::path program);
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  /// Kills a server that still runs and removes the directory.
  ~server_process();

  /// Starts the server on a free port and waits until it is ready. Otherwise returns false and prints the
  /// server's log to stderr.
  bool start(const std::vector<std::string>& arguments);

  /// Sends SIGTERM and waits for the end. Returns the time it took; nullopt when the server did not end with
  /// status 0 in time.
  std::optional<std::chrono::milliseconds> stop();

  /// True when the server has ended.
  bool has_ended();

  std::uint16_t port() const { return port_; }
  pid_t id() const { return child_; }
  const std::filesystem::path& directory() const { return directory_; }

  /// Prints the end of the server's log to stderr.
  void show_log() const;

 private:
  bool await_ready(int from);
  bool await_end(std::chrono::milliseconds limit);
  std::filesystem::path log() const { return directory_ / "server.log"; }

  std::filesystem::path program_;
  std::filesystem::path directory_;
  pid_t child_ = -1;
  int status_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace kv_demo
