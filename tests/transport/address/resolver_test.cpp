// Names to addresses, and connecting to what they stand for.
#include "address/name_lookup.hpp"
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/runtime/sim.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <netdb.h>
#include <thread>
#include <unistd.h>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

using endpoints = std::vector<ip_endpoint>;

ip_endpoint local(unsigned last, std::uint16_t port = 0) {
  return {ip_endpoint::v4_bytes{127, 0, 0, static_cast<std::uint8_t>(last)}, port};
}

// Never asked, or so the test claims.
class nobody final : public resolver {
 public:
  task<result<endpoints>> resolve(name_query) override {
    throw std::logic_error("the resolver was asked");
    co_return endpoints();
  }
};

// Answers after a call that nothing interrupts, as getaddrinfo does.
class slow final : public resolver {
 public:
  task<result<endpoints>> resolve(name_query q) override {
    co_return co_await blocking([port = q.port] {
      std::this_thread::sleep_for(300ms);
      return endpoints{local(1, port)};
    });
  }
};

std::size_t open_files() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

// An address where handshakes are dropped, as those to a dead host: the queue is full.
class silent_host {
 public:
  silent_host(ip_endpoint at) : listener_(must(tcp_listener::bind(at, {.backlog = 0}))) {
    const sockaddr_in to = address();
    for (int i = 0; i < 4; ++i) {
      fillers_[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)::connect(fillers_[i], reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
  }
  ~silent_host() {
    for (const int fd : fillers_) ::close(fd);
  }
  silent_host(const silent_host&) = delete;
  silent_host& operator=(const silent_host&) = delete;

 private:
  [[nodiscard]] sockaddr_in address() const {
    const ip_endpoint at = must(listener_.local_endpoint());
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(at.port());
    std::memcpy(&a.sin_addr, at.bytes().data(), 4);
    return a;
  }
  tcp_listener listener_;
  int fillers_[4] = {-1, -1, -1, -1};
};

std::string who_answered(const result<tcp_stream>& s) {
  return s ? must(s->remote_endpoint()).address() : std::string(s.error().text());
}

}  // namespace

TEST_CASE("resolve: an address is its own answer, and no resolver is asked") {
  runtime rt({.workers = 1});
  nobody names;
  const resolve_options o{.resolver = &names};
  CHECK(must(rt.block_on(resolve("10.1.2.3", 80, 1s, o))) == endpoints{*ip_endpoint::parse("10.1.2.3:80")});
  CHECK(must(rt.block_on(resolve("::1", 80, 1s, o))) == endpoints{ip_endpoint::loopback_v6(80)});
  CHECK(must(rt.block_on(resolve("[::1]", 80, 1s, o))) == endpoints{ip_endpoint::loopback_v6(80)});
  CHECK(must(rt.block_on(resolve("127.0.0.1", "8080", 1s, o))) == endpoints{ip_endpoint::loopback(8080)});
  const auto wrong = rt.block_on(resolve("127.0.0.1", 80, 1s, {.family = ip_family::v6, .resolver = &names}));
  REQUIRE(!wrong);
  CHECK(wrong.error() == errc::not_found);
}

TEST_CASE("resolve: localhost is this machine, and no resolver is asked") {
  runtime rt({.workers = 1});
  nobody names;
  for (const char* name : {"localhost", "LocalHost", "localhost.", "db.localhost"}) {
    const endpoints all = must(rt.block_on(resolve(name, 7, 1s, {.resolver = &names})));
    CHECK(all.back() == ip_endpoint::loopback(7));
    CHECK(std::ranges::all_of(all, [](const ip_endpoint& e) { return e.is_loopback(); }));
  }
  CHECK(must(rt.block_on(resolve("localhost", 7, 1s, {.family = ip_family::v4, .resolver = &names}))) ==
        endpoints{ip_endpoint::loopback(7)});
  CHECK(must(rt.block_on(resolve("localhost", 7, 1s, {.family = ip_family::v6, .resolver = &names}))) ==
        endpoints{ip_endpoint::loopback_v6(7)});
  const auto asked = rt.block_on(resolve("notlocalhost", 7, 1s, {.resolver = &names}));
  REQUIRE(!asked);
  CHECK_THAT(asked.error().to_string(), Contains("the resolver was asked"));
}

TEST_CASE("resolve: a name that cannot exist is refused, and so is an unknown service") {
  runtime rt({.workers = 1});
  nobody names;
  for (const std::string& host : {std::string(), std::string(254, 'a'), std::string("a\0b", 3)}) {
    const auto r = rt.block_on(resolve(host, 80, 1s, {.resolver = &names}));
    REQUIRE(!r);
    CHECK(r.error() == errc::invalid_argument);
  }
  for (const char* service : {"", "65536", "-1", "no-such-service", "80x"}) {
    const auto r = rt.block_on(resolve("127.0.0.1", service, 5s));
    REQUIRE(!r);
    CHECK(r.error() == errc::not_found);
    CHECK_THAT(std::string(r.error().text()), Contains("there is no service"));
  }
}

TEST_CASE("resolve: a table answers in its order, each address once and of the family asked for") {
  runtime rt({.workers = 1});
  table_resolver names;
  names.set("db.test", {local(3), ip_endpoint::loopback_v6(), local(3), local(2)});
  names.set("empty.test", {});
  names.fail("broken.test", error(std::make_error_code(std::errc::protocol_error), "the name server is mad"));
  const auto ask = [&](const char* host, ip_family family) {
    return rt.block_on(resolve(host, 5, 1s, {.family = family, .resolver = &names}));
  };
  CHECK(must(ask("db.test", ip_family::any)) ==
        endpoints{local(3, 5), ip_endpoint::loopback_v6(5), local(2, 5)});
  CHECK(must(ask("db.test", ip_family::v4)) == endpoints{local(3, 5), local(2, 5)});
  CHECK(must(ask("db.test", ip_family::v6)) == endpoints{ip_endpoint::loopback_v6(5)});
  CHECK(ask("empty.test", ip_family::any).error() == errc::not_found);
  CHECK(ask("unknown.test", ip_family::any).error() == errc::not_found);
  CHECK(ask("broken.test", ip_family::any).error().text() == "the name server is mad");
  CHECK(names.asked() == 6);
}

TEST_CASE("resolve: the deadline holds though a question cannot be interrupted") {
  runtime rt({.workers = 1});
  slow names;
  const auto test = [](resolver& r) -> task<std::pair<result<endpoints>, duration>> {
    const std::int64_t begin = detail::due_in(duration::zero());
    result<endpoints> all = co_await resolve("slow.test", 80, 20ms, {.resolver = &r});
    co_return std::pair(std::move(all), duration(detail::due_in(duration::zero()) - begin));
  };
  const auto [all, took] = must(rt.block_on(test(names)));
  REQUIRE(!all);
  CHECK(all.error() == errc::timeout);
  CHECK_THAT(std::string(all.error().text()),
             Contains("resolve 'slow.test'") && Contains("within 20 ms") && Contains("resolv.conf"));
  CHECK(must(rt.block_on(resolve("slow.test", 80, 30s, {.resolver = &names}))) == endpoints{local(1, 80)});
}

TEST_CASE("resolve: what the system's resolver has against a name is a clear error") {
  const auto why = [](int status, ip_family family = ip_family::any, int failed = 0) {
    return detail::lookup_error({"db.test", 80, family}, status, failed);
  };
  for (const int status : {EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY, 0}) {
    CHECK(why(status) == errc::not_found);
    CHECK(why(status).text() ==
          "resolve 'db.test': there is no such name, or it has no address; check its spelling, and "
          "/etc/hosts or the name server in /etc/resolv.conf");
  }
  CHECK_THAT(std::string(why(EAI_NONAME, ip_family::v4).text()), Contains("it has no IPv4 address;"));
  CHECK_THAT(std::string(why(EAI_NONAME, ip_family::v6).text()), Contains("it has no IPv6 address;"));

  CHECK(why(EAI_AGAIN) == std::make_error_code(std::errc::resource_unavailable_try_again));
  CHECK(why(EAI_AGAIN).text() ==
        "resolve 'db.test': no name server answered; try again later, and check /etc/resolv.conf and the "
        "network");
  CHECK(why(EAI_MEMORY) == std::make_error_code(std::errc::not_enough_memory));
  CHECK(why(EAI_SYSTEM, ip_family::any, EMFILE) == std::make_error_code(std::errc::too_many_files_open));
  CHECK(why(EAI_FAIL, ip_family::any, EMFILE) == std::make_error_code(std::errc::protocol_error));
  CHECK_THAT(std::string(why(EAI_FAIL).text()), Contains("resolve 'db.test': the name server refused: "));
}

TEST_CASE("resolve: a name that does not exist has no address") {
  runtime rt({.workers = 1});
  // RFC 6761: .invalid never exists. Without a name server the error says so, or that none answered in
  // time.
  const auto r = rt.block_on(resolve("no-such-host.invalid", 80, 20s));
  REQUIRE(!r);
  INFO(r.error().to_string());
  CHECK((r.error() == errc::not_found || r.error() == errc::timeout ||
         r.error() == std::make_error_code(std::errc::resource_unavailable_try_again)));
  CHECK_THAT(std::string(r.error().text()), Contains("resolve 'no-such-host.invalid': "));
}

TEST_CASE("resolve: the simulated runtime asks the table it is given, or its own hosts, and no name server") {
  sim::runtime rt;
  table_resolver names;
  names.set("db.test", {local(1)});
  names.set_delay(3s);
  CHECK(must(rt.block_on(resolve("db.test", 80, 5s, {.resolver = &names}))) == endpoints{local(1, 80)});
  CHECK(rt.block_on(resolve("db.test", 80, 2s, {.resolver = &names})).error() == errc::timeout);
  const auto unknown = rt.block_on(resolve("example.com", 80));
  REQUIRE(!unknown);
  CHECK(unknown.error() == errc::not_found);
  CHECK_THAT(std::string(unknown.error().text()), Catch::Contains("no host of the simulated network"));
  sim::network net(rt);
  const sim::host example(net, "example.com");
  CHECK(must(rt.block_on(resolve("example.com", 80))) ==
        endpoints{example.endpoint(80), example.endpoint_v6(80)});
  CHECK(rt.block_on(resolve("127.0.0.1", 80)));
}

TEST_CASE("tcp_stream: connecting to a name takes the first address that answers") {
  runtime rt({.workers = GENERATE(1U, 2U)});
  const tcp_listener two = must(tcp_listener::bind(local(2)));
  const std::uint16_t port = must(two.local_endpoint()).port();
  table_resolver names;
  // No socket listens at 127.0.0.3: that is known at once, however long the delay.
  names.set("host.test", {local(3), local(2)});
  const auto s = rt.block_on(tcp_stream::connect(
      "host.test", port, 30s, {.resolver = &names, .attempt_delay = std::chrono::minutes(10)}));
  CHECK(who_answered(s) == "127.0.0.2");
  CHECK(who_answered(rt.block_on(tcp_stream::connect("127.0.0.2", port))) == "127.0.0.2");
}

TEST_CASE("tcp_stream: an address that is silent does not hold up the next, and nothing of it stays") {
  runtime rt({.workers = 1});
  const tcp_listener two = must(tcp_listener::bind(local(2)));
  const std::uint16_t port = must(two.local_endpoint()).port();
  const silent_host dead(local(3, port));
  const silent_host dead_too(local(4, port));
  table_resolver names;
  names.set("host.test", {local(3), local(4), local(2)});
  const connect_options o{.resolver = &names, .attempt_delay = 10ms};
  (void)rt.block_on(tcp_stream::connect("host.test", port, 30s, o));
  const std::size_t before = open_files();
  for (int i = 0; i < 3; ++i) {
    CHECK(who_answered(rt.block_on(tcp_stream::connect("host.test", port, 30s, o))) == "127.0.0.2");
    CHECK(open_files() == before);
  }
}

TEST_CASE("tcp_stream: the families are tried by turns") {
  runtime rt({.workers = 1});
  // Only IPv6 listens; three dead IPv4 addresses come first in the answer.
  const tcp_listener six = must(tcp_listener::bind(ip_endpoint::loopback_v6()));
  const std::uint16_t port = must(six.local_endpoint()).port();
  const silent_host a(local(3, port));
  const silent_host b(local(4, port));
  const silent_host c(local(5, port));
  table_resolver names;
  names.set("host.test", {local(3), local(4), local(5), ip_endpoint::loopback_v6()});
  // IPv6 has its turn after one delay; were it the last, that would be after the deadline.
  const auto s =
      rt.block_on(tcp_stream::connect("host.test", port, 2900ms, {.resolver = &names, .attempt_delay = 1s}));
  CHECK(who_answered(s) == "::1");
}

TEST_CASE("tcp_stream: when no address answers the error says what was tried, and why not") {
  runtime rt({.workers = 1});
  ip_endpoint free;
  {
    const tcp_listener l = listen_on_loopback();
    free = must(l.local_endpoint());
  }
  table_resolver names;
  names.set("host.test", {local(3), local(2)});
  const auto refused = rt.block_on(tcp_stream::connect("host.test", free.port(), 5s, {.resolver = &names}));
  REQUIRE(!refused);
  CHECK(refused.error() == std::make_error_code(std::errc::connection_refused));
  CHECK_THAT(std::string(refused.error().text()), Contains("connect to host.test:") &&
                                                      Contains("127.0.0.3:") && Contains("; 127.0.0.2:") &&
                                                      Contains("refused"));
  REQUIRE(refused.error().cause() != nullptr);

  const silent_host dead(local(3, free.port()));
  const auto silent = rt.block_on(
      tcp_stream::connect("host.test", free.port(), 100ms, {.resolver = &names, .attempt_delay = 10ms}));
  REQUIRE(!silent);
  CHECK(silent.error() == errc::timeout);
  CHECK_THAT(std::string(silent.error().text()), Contains("127.0.0.3:") && Contains("was silent"));
  const auto unknown = rt.block_on(tcp_stream::connect("unknown.test", 80, 5s, {.resolver = &names}));
  CHECK(unknown.error() == errc::not_found);
}

TEST_CASE("tcp_stream: a connect that is stopped half-way closes every socket it has tried") {
  runtime rt({.workers = 1});
  const tcp_listener probe = must(tcp_listener::bind(local(2)));
  const std::uint16_t port = must(probe.local_endpoint()).port();
  const silent_host one(local(3, port));
  const silent_host two(local(4, port));
  table_resolver names;
  names.set("host.test", {local(3), local(4)});
  const auto attempt = [&] {
    return rt.block_on(with_timeout(
        tcp_stream::connect("host.test", port, 30s, {.resolver = &names, .attempt_delay = 5ms}), 50ms));
  };
  (void)attempt();
  const std::size_t before = open_files();
  for (int i = 0; i < 3; ++i) {
    CHECK(attempt().error() == errc::timeout);
    CHECK(open_files() == before);
  }
}
