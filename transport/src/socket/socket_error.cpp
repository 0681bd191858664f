// The texts of socket errors, with advice for the codes that have a known remedy.
#include "socket/socket_error.hpp"

#include <cerrno>
#include <string>

namespace troupe::detail {

namespace {

const char* advice(const std::error_code& code) noexcept {
  if (code.category() != std::generic_category()) return "";
  switch (code.value()) {
    case EADDRINUSE:
      return "; another socket has this port: stop its program (ss -tulpn names it) or choose another port";
    case EADDRNOTAVAIL:
      return "; no interface of this machine has this address";
    case EACCES:
      return "; ports below 1024 need root or the capability net_bind_service";
    case ECONNREFUSED:
      return "; nothing listens there";
    case EMFILE:
      return "; close connections, limit them, or raise the limit of open files (ulimit -n)";
    case ENFILE:
      return "; the whole machine is out of open files (fs.file-max)";
    case EMSGSIZE:
      return "; send less at once: a UDP datagram holds up to 65507 bytes over IPv4";
    case EOPNOTSUPP:
      return "; a socket belongs to the runtime it was opened on: the simulated runtime awaits none of the "
             "kernel's, nor another's (open it in a task, or during a sim::host::visit)";
    case EAFNOSUPPORT:
      return "; the simulated network has IPv4 and IPv6 only";
    case ESHUTDOWN:
      return "; the simulated host is down";
    case EHOSTUNREACH:
      return "; no host has this address, or the way to it is cut";
    default:
      return "";
  }
}

}  // namespace

error socket_error(std::error_code code, std::string_view what, std::string_view where) {
  std::string text(what);
  text.append(" ").append(where).append(": ");
  if (code == errc::timeout) {
    text += "the deadline passed";
  } else if (code == errc::closed) {
    text += "the socket was closed on this side";
  } else {
    text.append(code.message()).append(advice(code));
  }
  return {code, std::move(text)};
}

error closed_error(std::string_view what) {
  return {make_error_code(errc::closed), std::string(what) + ": the socket is not open on this side"};
}

error busy_error(std::string_view what, std::string_view where) {
  return {make_error_code(errc::invalid_argument),
          std::string(what).append(" ").append(where).append(
              ": another one is under way on this socket; await it first")};
}

}  // namespace troupe::detail
