// A program under test as a child process, and the shell. A child ends with its object.
#pragma once

#include "support/catch.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace troupe_test {

/// A directory that is removed with the object.
class scratch_directory {
 public:
  scratch_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
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

/// The exit status and the output of a shell command.
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

/// Whether a program can be run; says so when it is missing, and the test that asked is over.
inline bool has_program(const std::string& name, const std::string& package) {
  if (shell("command -v " + name).status == 0) return true;
  WARN("skipped: " << name << " is not installed (Debian: " << package << ")");
  return false;
}

struct child_limits {
  rlim_t open_files = 0;  ///< 0: as many as the system allows
  rlim_t file_bytes = 0;  ///< 0: as it is
};

/// A server program that prints `READY`, or `READY port=N`, when it can be used.
class child_process {
 public:
  using limits = child_limits;

  /// `log` takes its standard error. REQUIREs nothing: see port().
  child_process(std::vector<std::string> words, std::filesystem::path log, limits most = {})
      : log_(std::move(log)) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string log_name = log_.string();
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      set_limits(most);
      ::dup2(pipe[1], STDOUT_FILENO);
      ::dup2(::open(log_name.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(pipe[1]);
    out_ = pipe[0];
    std::string said;
    char byte = 0;
    pollfd ready{out_, POLLIN, 0};
    while (byte != '\n' && ::poll(&ready, 1, 20'000) > 0 && ::read(out_, &byte, 1) == 1) said += byte;
    if (said == "READY\n" || said.starts_with("READY ")) ready_ = said;
  }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() {
    kill();
    ::close(out_);
  }

  [[nodiscard]] bool is_ready() const { return !ready_.empty(); }
  /// 0 when it has not become ready, or does not tell.
  [[nodiscard]] int port() const { return said(" port="); }
  /// The number behind `what` on the line that says it is ready; 0 when there is none.
  [[nodiscard]] int said(const std::string& what) const {
    const std::size_t at = ready_.find(what);
    return at == std::string::npos ? 0 : std::atoi(ready_.c_str() + at + what.size());
  }
  [[nodiscard]] pid_t id() const { return child_; }
  /// Its output on standard error so far.
  [[nodiscard]] std::string log() const {
    std::ostringstream all;
    all << std::ifstream(log_).rdbuf();
    return all.str();
  }

  /// The exit status after SIGTERM; -1 when it did not end by itself within 15 s.
  int terminate() {
    ::kill(child_, SIGTERM);
    return wait(std::chrono::seconds(15));
  }
  int wait(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    int status = 0;
    while (::waitpid(child_, &status, WNOHANG) != child_) {
      if (std::chrono::steady_clock::now() > until) return -1;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] bool runs() const { return child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) == 0; }
  /// kill -9
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

  /// Its resident memory, in bytes; 0 when it has ended.
  [[nodiscard]] long resident() const {
    std::ifstream statm("/proc/" + std::to_string(child_) + "/statm");
    long total = 0;
    long pages = 0;
    statm >> total >> pages;
    return pages * ::sysconf(_SC_PAGESIZE);
  }
  /// The processor time that it has used so far.
  [[nodiscard]] std::chrono::milliseconds cpu_time() const {
    std::ifstream stat("/proc/" + std::to_string(child_) + "/stat");
    std::string line;
    std::getline(stat, line);
    std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 2)));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;
    long user = 0;
    long system = 0;
    rest >> user >> system;
    return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
  }

 private:
  static void set_limits(const limits& most) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = most.open_files != 0 ? most.open_files : files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (most.file_bytes == 0) return;
    const rlimit limit{most.file_bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }

  std::filesystem::path log_;
  pid_t child_ = -1;
  int out_ = -1;
  std::string ready_;
};

}  // namespace troupe_test
