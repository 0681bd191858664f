// Addresses of unix sockets, and the care for their files: replacing stale ones, removing only our own.
#include "address/unix_address.hpp"

#include "socket/open_socket.hpp"
#include "socket/socket_error.hpp"
#include "socket/socket_state.hpp"
#include "socket/sys.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::detail {

namespace {

constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;

bool is_abstract(std::string_view path) noexcept {
  return path.starts_with('@');
}

std::error_code last_error() noexcept {
  return {errno, std::generic_category()};
}

const char* advice(std::errc why) noexcept {
  switch (why) {
    case std::errc::no_such_file_or_directory:
      return "; is its server running, and does the directory exist?";
    case std::errc::connection_refused:
      return "; its server is gone and has left the file behind";
    case std::errc::permission_denied:
      return "; check the permissions of the file and of its directories";
    case std::errc::address_in_use:
      return "; another program has it: stop that one or choose another name";
    case std::errc::wrong_protocol_type:
      return "; one side has streams and the other datagrams";
    case std::errc::message_size:
      return "; send less at once, or raise send_buffer";
    case std::errc::address_family_not_supported:
      return "; the simulated runtime has no unix sockets: use the real runtime";
    default:
      return "";
  }
}

// Whether a process has the socket of this file open: tries to connect to it.
bool is_served(const socket_address& a, int type) noexcept {
  std::error_code failed;
  const int fd = open_socket(AF_UNIX, type, failed);
  if (fd < 0) return true;  // cannot tell: leave it alone
  const bool refused = sys::connect(fd, a.get(), a.length()) != 0 && errno == ECONNREFUSED;
  sys::close(fd);
  return !refused;
}

bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Removes the stale file that a bind has found. An error if the file must stay.
std::error_code remove_stale(const socket_address& a, int type, const std::string& path) noexcept {
  struct stat before{};
  if (::lstat(path.c_str(), &before) != 0) return errno == ENOENT ? std::error_code() : last_error();
  if (!S_ISSOCK(before.st_mode)) return std::make_error_code(std::errc::file_exists);
  if (is_served(a, type)) return std::make_error_code(std::errc::address_in_use);
  // Another process may have replaced the file meanwhile, and listen by now.
  struct stat now{};
  if (::lstat(path.c_str(), &now) != 0) return errno == ENOENT ? std::error_code() : last_error();
  if (!same_file(before, now)) return std::make_error_code(std::errc::address_in_use);
  return ::unlink(path.c_str()) == 0 ? std::error_code() : last_error();
}

std::error_code apply(int fd, const unix_options& o) noexcept {
  std::error_code failed;
  if (o.receive_buffer > 0) failed = set_flag(fd, SOL_SOCKET, SO_RCVBUF, o.receive_buffer);
  if (!failed && o.send_buffer > 0) failed = set_flag(fd, SOL_SOCKET, SO_SNDBUF, o.send_buffer);
  return failed;
}

socket_ref make_unix(int fd, const std::string& path, const unix_options& o) {
  socket_ref s =
      socket_state::make(fd, {}, {.read_deadline = o.read_deadline, .write_deadline = o.write_deadline});
  s->name_by_path(path);
  return s;
}

}  // namespace

error unix_error(std::error_code code, std::string_view what, std::string_view path) {
  if (code.category() != std::generic_category()) return socket_error(code, what, path);
  const auto why = static_cast<std::errc>(code.value());
  std::string text(what);
  text.append(" ").append(path).append(": ");
  if (why == std::errc::file_exists) {
    text += "the file there is not a socket; remove it or choose another name";
  } else {
    text.append(code.message()).append(advice(why));
  }
  return {code, std::move(text)};
}

std::optional<error> to_address(std::string_view path, std::string_view what, socket_address& into) {
  const auto refuse = [&](std::string why) {
    return error(make_error_code(errc::invalid_argument),
                 std::string(what).append(" ").append(path).append(": ").append(why));
  };
  if (path.empty() || path == "@") return refuse("the name of a unix socket is empty");
  if (path.size() > longest_path) {
    return refuse("the name has " + std::to_string(path.size()) + " bytes, and a unix socket's at most " +
                  std::to_string(longest_path) + "; choose a shorter directory, as /run");
  }
  if (path.find('\0') != std::string_view::npos) return refuse("the name has a zero byte in it");
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  std::memcpy(a.sun_path, path.data(), path.size());
  std::size_t size = offsetof(sockaddr_un, sun_path) + path.size();
  if (is_abstract(path)) {
    a.sun_path[0] = '\0';
  } else {
    ++size;
  }
  into.assign(&a, static_cast<socklen_t>(size));
  return std::nullopt;
}

std::string name_of(const socket_address& a) {
  constexpr std::size_t header = offsetof(sockaddr_un, sun_path);
  if (a.length() <= header) return {};
  sockaddr_un u{};
  std::memcpy(&u, a.get(), std::min<std::size_t>(a.length(), sizeof u));
  const std::size_t size = std::min(a.length() - header, sizeof u.sun_path);
  if (u.sun_path[0] == '\0') return "@" + std::string(u.sun_path + 1, size - 1);
  return {u.sun_path, ::strnlen(u.sun_path, size)};
}

result<socket_ref> open_unix(int type, std::string_view what, const std::string& path,
                             const unix_options& o) {
  std::error_code failed;
  const int fd = open_socket(AF_UNIX, type, failed);
  if (fd < 0) return std::unexpected(unix_error(failed, what, path));
  socket_ref s = make_unix(fd, path, o);
  if ((failed = apply(fd, o))) return std::unexpected(unix_error(failed, what, path));
  return s;
}

result<std::pair<socket_ref, socket_ref>> open_unix_pair(int type, const unix_options& o) {
  const std::string name = "the other end of a pair";
  constexpr const char* what = "open";
  int fds[2] = {-1, -1};
  std::error_code failed;
  if (sys::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    failed = last_error();
  }
  if (failed) return std::unexpected(unix_error(failed, what, name));
  socket_ref first;
  try {
    first = make_unix(fds[0], name, o);
  } catch (...) {
    sys::close(fds[1]);
    throw;
  }
  std::pair both(std::move(first), make_unix(fds[1], name, o));
  failed = apply(fds[0], o);
  if (!failed) failed = apply(fds[1], o);
  if (failed) return std::unexpected(unix_error(failed, what, name));
  return both;
}

result<bound_file> bind_unix(int fd, int type, const std::string& path, unsigned permissions) {
  constexpr const char* what = "cannot bind to";
  socket_address a;
  if (std::optional<error> refused = to_address(path, what, a)) return std::unexpected(std::move(*refused));
  const bool file = !is_abstract(path);
  std::error_code failed;
  if (sys::bind(fd, a.get(), a.length()) != 0) {
    failed = last_error();
    if (file && failed == std::errc::address_in_use && !(failed = remove_stale(a, type, path))) {
      if (sys::bind(fd, a.get(), a.length()) != 0) failed = last_error();
    }
  }
  if (failed) return std::unexpected(unix_error(failed, what, path));
  if (!file) return bound_file();
  struct stat now{};
  if (::lstat(path.c_str(), &now) != 0) return std::unexpected(unix_error(last_error(), what, path));
  const bound_file ours{now.st_dev, now.st_ino};
  // No client can connect before listen(), so the permissions are set in time.
  if (permissions != 0 && ::chmod(path.c_str(), permissions) != 0) {
    failed = last_error();
    remove_file(path, ours);
    return std::unexpected(unix_error(failed, "set the permissions of", path));
  }
  return ours;
}

void remove_file(const std::string& path, bound_file ours) noexcept {
  struct stat now{};
  if (ours.inode == 0 || ::lstat(path.c_str(), &now) != 0) return;
  if (now.st_dev == ours.device && now.st_ino == ours.inode) ::unlink(path.c_str());
}

}  // namespace troupe::detail
