// Starting, observing and stopping the child process.
#include "server_process.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace kv_demo {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto start_deadline = 10s;
constexpr auto stop_deadline = 12s;  // longer than the server's own deadline for a shutdown

}  // namespace

server_process::server_process(std::filesystem::path program) : program_(std::move(program)) {
  std::string name = (std::filesystem::temp_directory_path() / "troupe-kv-demo-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the directory " + name);
  directory_ = name;
}

server_process::~server_process() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool server_process::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {program_.string(), "--port", "0", "--dir",
                                    (directory_ / "data").string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return false;
  const std::string log_name = log().string();
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ == 0) {
    ::setpgid(0, 0);  // Ctrl-C goes to the demonstration only, which then stops the server
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(pipe[1], STDOUT_FILENO);
    const int errors = ::open(log_name.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(errors, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    std::perror(argv[0]);
    ::_exit(127);
  }
  ::close(pipe[1]);
  const bool ready = child_ > 0 && await_ready(pipe[0]);
  ::close(pipe[0]);
  if (!ready) show_log();
  return ready;
}

/// Reads the line "READY port=N".
bool server_process::await_ready(int from) {
  std::string output;
  const auto until = steady::now() + start_deadline;
  while (output.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
    pollfd p{from, POLLIN, 0};
    if (left <= 0ms || ::poll(&p, 1, static_cast<int>(left.count())) <= 0) return false;
    char bytes[256];
    const ssize_t got = ::read(from, bytes, sizeof bytes);
    if (got <= 0) return false;
    output.append(bytes, static_cast<std::size_t>(got));
  }
  constexpr std::string_view ready = "READY port=";
  if (!output.starts_with(ready)) return false;
  port_ = static_cast<std::uint16_t>(std::atoi(output.c_str() + ready.size()));
  return port_ != 0;
}

bool server_process::has_ended() {
  return child_ <= 0 || await_end(0ms);
}

bool server_process::await_end(std::chrono::milliseconds limit) {
  const auto until = steady::now() + limit;
  for (;;) {
    if (::waitpid(child_, &status_, WNOHANG) == child_) {
      child_ = -1;
      return true;
    }
    if (steady::now() >= until) return false;
    std::this_thread::sleep_for(1ms);
  }
}

std::optional<std::chrono::milliseconds> server_process::stop() {
  if (has_ended()) return std::nullopt;
  const auto start = steady::now();
  ::kill(child_, SIGTERM);
  if (!await_end(stop_deadline) || !WIFEXITED(status_) || WEXITSTATUS(status_) != 0) {
    show_log();
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - start);
}

void server_process::show_log() const {
  std::ifstream in(log());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (lines.size() == 20) lines.erase(lines.begin());
    lines.push_back(line);
  }
  for (const std::string& line : lines) std::fprintf(stderr, "  server: %s\n", line.c_str());
}

}  // namespace kv_demo
