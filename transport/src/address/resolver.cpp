// resolve(): literals, localhost, getaddrinfo on a blocking thread, service names, and the table resolver.
#include "address/name_lookup.hpp"
#include "address/sockaddr.hpp"
#include "socket/readiness.hpp"
#include "socket/sys.hpp"

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/engine.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/transport/resolver.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <stop_token>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe {

namespace {

using endpoints = std::vector<ip_endpoint>;

const char* in_words(ip_family f) noexcept {
  return f == ip_family::v4 ? "IPv4 " : f == ip_family::v6 ? "IPv6 " : "";
}

bool fits(ip_family wanted, const ip_endpoint& e) noexcept {
  return wanted == ip_family::any || (wanted == ip_family::v6) == e.is_v6();
}

error refuse(std::error_code code, const std::string& host, const std::string& why) {
  return {code, "resolve '" + host + "': " + why};
}

// -- without a resolver ---------------------------------------------------------

std::optional<ip_endpoint> numeric(std::string_view host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const result<ip_endpoint> e = ip_endpoint::parse(host, port);
  return e ? std::optional(*e) : std::nullopt;
}

// Reserved names, which must not be asked of a name server (RFC 6761).
bool is_localhost(std::string_view host) noexcept {
  constexpr std::string_view name = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < name.size()) return false;
  const std::string_view tail = host.substr(host.size() - name.size());
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  if (!std::equal(tail.begin(), tail.end(), name.begin(), same)) return false;
  return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

bool has_v6_loopback() noexcept {
  const int fd = detail::sys::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const detail::socket_address a(ip_endpoint::loopback_v6());
  const bool bound = detail::sys::bind(fd, a.get(), a.length()) == 0;
  detail::sys::close(fd);
  return bound;
}

// The answer, if no resolver is needed for it.
std::optional<result<endpoints>> known(const name_query& q) {
  if (q.host.empty())
    return std::unexpected(refuse(make_error_code(errc::invalid_argument), q.host, "the name is empty"));
  if (q.host.size() > 253 || q.host.find('\0') != std::string::npos) {
    return std::unexpected(refuse(make_error_code(errc::invalid_argument), q.host.substr(0, 64),
                                  "a name has at most 253 bytes, none of them zero"));
  }
  endpoints all;
  if (const std::optional<ip_endpoint> e = numeric(q.host, q.port)) {
    all = {*e};
  } else if (is_localhost(q.host)) {
    if (q.family == ip_family::v6 || has_v6_loopback()) all.push_back(ip_endpoint::loopback_v6(q.port));
    all.push_back(ip_endpoint::loopback(q.port));
  } else {
    return std::nullopt;
  }
  std::erase_if(all, [&](const ip_endpoint& e) { return !fits(q.family, e); });
  if (!all.empty()) return all;
  return std::unexpected(refuse(make_error_code(errc::not_found), q.host,
                                std::string("this is not an ") + in_words(q.family) + "address"));
}

// -- getaddrinfo ------------------------------------------------------------------

struct answer {
  int status = EAI_AGAIN;
  int failed = 0;  // errno
  endpoints all;
};

struct address_list {
  addrinfo* first = nullptr;
  address_list() = default;
  address_list(const address_list&) = delete;
  address_list& operator=(const address_list&) = delete;
  ~address_list() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

addrinfo hints_for(ip_family f) noexcept {
  addrinfo hints{};
  hints.ai_family = f == ip_family::v4 ? AF_INET : f == ip_family::v6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for each kind
  // Without AI_ADDRCONFIG: it does not count loopback addresses, so on a machine
  // that is offline, or in a container without a network, it hides what
  // /etc/hosts says. What cannot be reached is sorted to the end anyway.
  return hints;
}

answer ask_system(const name_query& q) {
  const addrinfo hints = hints_for(q.family);
  address_list list;
  answer a;
  errno = 0;
  a.status = ::getaddrinfo(q.host.c_str(), nullptr, &hints, &list.first);
  a.failed = errno;
  for (const addrinfo* i = list.first; a.status == 0 && i != nullptr; i = i->ai_next) {
    if (i->ai_family != AF_INET && i->ai_family != AF_INET6) continue;
    detail::socket_address address;
    address.assign(i->ai_addr, i->ai_addrlen);
    a.all.push_back(address.endpoint().with_port(q.port));
  }
  return a;
}

// The hosts of a simulated network know each other by their names.
TROUPE_NOINLINE result<endpoints> simulated_answer(const name_query& q) {
  endpoints all;
  for (const ip_endpoint& e : detail::simnet::addresses_of(q.host)) {
    if (fits(q.family, e)) all.push_back(e.with_port(q.port));
  }
  if (!all.empty()) return all;
  return std::unexpected(refuse(make_error_code(errc::not_found), q.host,
                                std::string("no host of the simulated network has this name and ") +
                                    in_words(q.family) +
                                    " address; make it with sim::host, or name a table_resolver in "
                                    "resolve_options::resolver"));
}

class system_names final : public resolver {
 public:
  task<result<endpoints>> resolve(name_query query) override {
    if (detail::simnet::is_here()) co_return simulated_answer(query);
    answer a = co_await blocking([q = query](std::stop_token gone) {
      return gone.stop_requested() ? answer() : ask_system(q);  // no caller waits for it any more
    });
    if (a.status != 0 || a.all.empty())
      co_return std::unexpected(detail::lookup_error(query, a.status, a.failed));
    co_return std::move(a.all);
  }
};

// -- services -----------------------------------------------------------------------

std::optional<std::uint16_t> port_number(std::string_view service) noexcept {
  std::uint16_t port = 0;
  const char* const end = service.data() + service.size();
  const auto [last, failed] = std::from_chars(service.data(), end, port);
  return failed == std::errc() && last == end ? std::optional(port) : std::nullopt;
}

// Reads /etc/services.
std::optional<std::uint16_t> port_of(const std::string& service) {
  // getaddrinfo takes a string without letters for a number, whether it is a port or not.
  if (service.find_first_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos) {
    return std::nullopt;
  }
  const addrinfo hints = hints_for(ip_family::v4);
  address_list list;
  if (::getaddrinfo(nullptr, service.c_str(), &hints, &list.first) != 0) return std::nullopt;
  detail::socket_address a;
  a.assign(list.first->ai_addr, list.first->ai_addrlen);
  return a.endpoint().port();
}

task<std::optional<std::uint16_t>> ask_port(std::string service) {
  co_return co_await blocking([service = std::move(service)] { return port_of(service); });
}

// -- all of it ------------------------------------------------------------------------

result<endpoints> checked(const name_query& q, result<endpoints> all, duration within) {
  if (!all && all.error() == errc::timeout) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(within).count();
    return std::unexpected(refuse(make_error_code(errc::timeout), q.host,
                                  "no answer within " + std::to_string(ms) +
                                      " ms; check the name server in /etc/resolv.conf, or allow more time"));
  }
  if (!all) return all;
  endpoints once;
  for (const ip_endpoint& e : *all) {
    if (fits(q.family, e) && std::ranges::find(once, e) == once.end()) once.push_back(e);
  }
  if (once.empty()) return std::unexpected(detail::lookup_error(q, 0));
  return once;
}

}  // namespace

error detail::lookup_error(const name_query& q, int status, int failed) {
  switch (status) {
    case 0:
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return refuse(make_error_code(errc::not_found), q.host,
                    std::string("there is no such name, or it has no ") + in_words(q.family) +
                        "address; check its spelling, and /etc/hosts or the name server in /etc/resolv.conf");
    case EAI_AGAIN:
      return refuse(std::make_error_code(std::errc::resource_unavailable_try_again), q.host,
                    "no name server answered; try again later, and check /etc/resolv.conf and the network");
    case EAI_MEMORY:
      return refuse(std::make_error_code(std::errc::not_enough_memory), q.host, "out of memory");
    case EAI_SYSTEM:
      return refuse({failed, std::generic_category()}, q.host,
                    std::error_code(failed, std::generic_category()).message());
    default:
      return refuse(std::make_error_code(std::errc::protocol_error), q.host,
                    std::string("the name server refused: ") + ::gai_strerror(status));
  }
}

resolver& system_resolver() noexcept {
  static system_names names;
  return names;
}

task<result<std::vector<ip_endpoint>>> resolve(std::string host, std::uint16_t port, duration deadline,
                                               resolve_options options) {
  const name_query query{std::move(host), port, options.family};
  if (std::optional<result<endpoints>> at_once = known(query)) co_return std::move(*at_once);
  resolver& names = options.resolver != nullptr ? *options.resolver : system_resolver();
  co_return checked(query, co_await with_timeout(names.resolve(query), deadline), deadline);
}

task<result<std::vector<ip_endpoint>>> resolve(std::string host, std::string service, duration deadline,
                                               resolve_options options) {
  std::optional<std::uint16_t> port = port_number(service);
  if (!port) {
    const std::int64_t due = detail::deadline_in(deadline);
    result<std::optional<std::uint16_t>> named = co_await with_timeout(ask_port(service), deadline);
    if (!named) co_return std::unexpected(std::move(named.error()));
    port = *named;
    if (due != detail::no_deadline) deadline = duration(due - detail::due_in(duration::zero()));
  }
  if (!port) {
    co_return std::unexpected(error(make_error_code(errc::not_found),
                                    "resolve '" + host + "': there is no service '" + service +
                                        "'; give a port from 0 to 65535, or a name from /etc/services"));
  }
  co_return co_await resolve(std::move(host), *port, deadline, options);
}

// -- the table --------------------------------------------------------------------------

void table_resolver::set(std::string host, std::vector<ip_endpoint> addresses) {
  const std::scoped_lock guard(lock_);
  names_.insert_or_assign(std::move(host), std::move(addresses));
}

void table_resolver::fail(std::string host, error why) {
  const std::scoped_lock guard(lock_);
  names_.insert_or_assign(std::move(host), std::unexpected(std::move(why)));
}

void table_resolver::set_delay(duration d) {
  const std::scoped_lock guard(lock_);
  delay_ = d;
}

std::uint64_t table_resolver::asked() const {
  const std::scoped_lock guard(lock_);
  return asked_;
}

result<std::vector<ip_endpoint>> table_resolver::answer(const name_query& query, duration& delay) {
  const std::scoped_lock guard(lock_);
  ++asked_;
  delay = delay_;
  const auto found = names_.find(query.host);
  if (found == names_.end()) {
    return std::unexpected(
        refuse(make_error_code(errc::not_found), query.host, "the table of names does not have it"));
  }
  result<endpoints> all = found->second;
  if (all) {
    for (ip_endpoint& e : *all) e = e.with_port(query.port);
  }
  return all;
}

task<result<std::vector<ip_endpoint>>> table_resolver::resolve(name_query query) {
  duration delay{};
  result<endpoints> all = answer(query, delay);
  if (delay.count() > 0) co_await sleep_for(delay);
  co_return all;
}

}  // namespace troupe
