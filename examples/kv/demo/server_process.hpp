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
  /// Makes a fresh directory below the system's temporary one.
  explicit server_process(std::filesystem::path program);
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;
  /// Kills what still runs and removes the directory.
  ~server_process();

  /// Starts the server on a free port and waits until it is ready; false, and what it said on stderr, when it
  /// does not get there.
  bool start(const std::vector<std::string>& arguments);

  /// SIGTERM, then waits for the end. How long that took; nothing when it did not end with status 0 in time.
  std::optional<std::chrono::milliseconds> stop();

  /// Whether it has ended by itself.
  bool has_ended();

  std::uint16_t port() const { return port_; }
  pid_t id() const { return child_; }
  const std::filesystem::path& directory() const { return directory_; }

  /// The end of what the server has logged, to stderr.
  void show_log() const;

 private:
  bool await_ready(int from);
  bool await_end(std::chrono::milliseconds patience);
  std::filesystem::path log() const { return directory_ / "server.log"; }

  std::filesystem::path program_;
  std::filesystem::path directory_;
  pid_t child_ = -1;
  int status_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace kv_demo
