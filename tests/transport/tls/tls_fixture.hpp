// TLS contexts with test certificates, programs as peers, and both ends of a TLS connection over loopback.
#pragma once

#include "support/certificates.hpp"
#include "transport/loopback.hpp"

#include <atomic>
#include <fcntl.h>
#include <memory>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace troupe_test {

inline troupe::tls_context server_context(troupe::tls_server_options o = {}) {
  if (o.identity.certificate.empty()) o.identity = certificates().identity("server");
  return must(troupe::tls_context::server(o));
}
inline troupe::tls_context client_context(troupe::tls_client_options o = {}) {
  if (o.ca.empty()) o.ca = certificates().file("ca.crt");
  return must(troupe::tls_context::client(o));
}

// -- two ends --------------------------------------------------------------------------

struct tls_pair {
  troupe::tls_stream server;
  troupe::tls_stream client;
};
struct tls_outcome {
  troupe::result<troupe::tls_stream> server = std::unexpected(troupe::error(troupe::errc::not_running));
  troupe::result<troupe::tls_stream> client = std::unexpected(troupe::error(troupe::errc::not_running));
};

/// Does both handshakes at once; returns the outcome of each end.
inline tls_outcome shake_hands(troupe::runtime& rt, connection c, const troupe::tls_context& server,
                               const troupe::tls_context& client, troupe::tls_connect_options options) {
  struct accepted {
    troupe::result<troupe::tls_stream> stream = std::unexpected(troupe::error(troupe::errc::not_running));
    std::atomic<bool> done = false;
  };
  const auto end = std::make_shared<accepted>();
  const auto accept = [](troupe::tcp_stream s, troupe::tls_context with,
                         std::shared_ptr<accepted> into) -> troupe::task<void> {
    into->stream =
        co_await troupe::tls_stream::accept(std::move(s), std::move(with), {.handshake_deadline = 20s});
    into->done = true;
  };
  rt.spawn(accept(std::move(c.server), server, end));
  options.handshake_deadline = 20s;
  tls_outcome all;
  all.client = rt.block_on(troupe::tls_stream::connect(std::move(c.client), client, std::move(options)));
  must(rt.block_on(until(end->done)));
  all.server = std::move(end->stream);
  return all;
}

inline tls_pair make_tls_pair(troupe::runtime& rt, const troupe::tls_context& server,
                              const troupe::tls_context& client, troupe::tls_connect_options options,
                              troupe::tcp_options server_socket = {},
                              troupe::tcp_options client_socket = {}) {
  tls_outcome o = shake_hands(rt, must(rt.block_on(make_connection(server_socket, client_socket))), server,
                              client, std::move(options));
  return {must(std::move(o.server)), must(std::move(o.client))};
}
inline tls_pair make_tls_pair(troupe::runtime& rt, troupe::tcp_options server_socket = {},
                              troupe::tcp_options client_socket = {}) {
  return make_tls_pair(rt, server_context(), client_context(), {.server_name = "localhost"}, server_socket,
                       client_socket);
}

// -- another program as the peer ----------------------------------------------------------

/// A child process with pipes to its input and from its output and errors. The destructor kills it if it
/// runs.
class program {
 public:
  explicit program(const std::vector<std::string>& words) {
    int in[2];
    int out[2];
    // A socket and not a pipe: a write without a reader can be made an error instead of a signal.
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], 0);
    posix_spawn_file_actions_adddup2(&files, out[1], 1);
    posix_spawn_file_actions_adddup2(&files, out[1], 2);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
    argv.push_back(nullptr);
    const int failed = ::posix_spawnp(&pid_, argv[0], &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    if (failed != 0) throw std::runtime_error("cannot run " + words[0]);
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    (void)wait();
    end_input();
    ::close(from_);
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(to_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end_input() {
    if (to_ >= 0) ::close(std::exchange(to_, -1));
  }
  /// All output so far, once it contains `what` or the program has ended.
  std::string read_until(std::string_view what) {
    char chunk[4096];
    while (what.empty() || output_.find(what) == std::string::npos) {
      const ssize_t n = ::read(from_, chunk, sizeof chunk);
      if (n <= 0) break;
      output_.append(chunk, static_cast<std::size_t>(n));
    }
    return output_;
  }
  /// Waits for `what`; returns the rest of its line.
  std::string rest_of_line(std::string_view what) {
    read_until(what);
    const std::size_t begin = output_.find(what);
    if (begin == std::string::npos) return {};
    char next = 0;
    while (output_.find('\n', begin) == std::string::npos && ::read(from_, &next, 1) == 1)
      output_.push_back(next);
    const std::size_t from = begin + what.size();
    return output_.substr(from, output_.find('\n', begin) - from);
  }
  std::string read_to_end() { return read_until({}); }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// Its exit status; -1 if a signal ended it.
  int wait() {
    if (pid_ > 0) {
      int status = 0;
      ::waitpid(std::exchange(pid_, -1), &status, 0);
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  int status_ = -1;
  std::string output_;
};

}  // namespace troupe_test
