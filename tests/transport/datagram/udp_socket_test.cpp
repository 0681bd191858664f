// Datagrams: whole, cut, empty, refused; batches and groups.
#include "support/catch.hpp"
#include "transport/backend.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <netinet/udp.h>
#include <random>

using namespace troupe;
using namespace troupe_test;

namespace {

udp_socket bound(udp_options options = {}) {
  options.read_deadline = 5s;
  return must(udp_socket::bind(ip_endpoint::loopback(), options));
}

ip_endpoint at(const udp_socket& s) {
  return must(s.local_endpoint());
}

task<std::pair<std::string, ip_endpoint>> next_of(udp_socket& s) {
  std::byte room[2048];
  const udp_socket::datagram d = must(co_await s.receive_from(room));
  if (d.truncated()) throw std::runtime_error("the datagram was truncated");
  co_return std::pair(text_of(std::span(room, d.size)), d.from);
}

task<std::string> text_from(udp_socket& s) {
  co_return (co_await next_of(s)).first;
}

// A port that no socket has, or that one had a moment ago.
ip_endpoint unused_port() {
  return at(bound());
}

}  // namespace

TEST_CASE("udp_socket: a datagram arrives whole, with who sent it, and can be answered") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = GENERATE(1U, 2U)});
  const auto test = [](udp_socket& a, udp_socket& b) -> task<std::string> {
    must(co_await a.send_to(bytes_of("ping"), at(b)));
    const auto [text, from] = co_await next_of(b);
    if (from != at(a)) co_return "from " + from.to_string();
    must(co_await b.send_to(bytes_of(text + " pong"), from));
    co_return co_await text_from(a);
  };
  udp_socket a = bound();
  udp_socket b = bound();
  CHECK(must(rt.block_on(test(a, b))) == "ping pong");
}

TEST_CASE("udp_socket: datagrams that wait are received one by one, and then the next is waited for") {
  udp_socket a;
  udp_socket b;
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  a = bound();
  b = bound();
  const auto send_three = [](udp_socket& from, ip_endpoint to) -> task<void> {
    for (const char* text : {"1", "2", "3"}) must(co_await from.send_to(bytes_of(text), to));
  };
  const auto later = [](udp_socket* from, ip_endpoint to) -> task<void> {
    co_await sleep_for(20ms);
    must(co_await from->send_to(bytes_of("4"), to));
  };
  const auto receive_four = [](udp_socket& s) -> task<std::string> {
    std::string all;
    for (int i = 0; i < 4; ++i) all += co_await text_from(s);
    co_return all;
  };
  must(rt.block_on(send_three(a, at(b))));
  rt.spawn(later(&a, at(b)));
  CHECK(must(rt.block_on(receive_four(b))) == "1234");
}

TEST_CASE("udp_socket: a datagram without bytes is a datagram") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket a = bound();
  udp_socket b = bound();
  must(rt.block_on(a.send_to({}, at(b))));
  std::byte room[8];
  const udp_socket::datagram d = must(rt.block_on(b.receive_from(room)));
  CHECK(d.size == 0);
  CHECK(!d.truncated());
  CHECK(d.from == at(a));
  // Also when there is no room for anything else.
  must(rt.block_on(a.send_to({}, at(b))));
  CHECK(must(rt.block_on(b.receive_from({}))).full_size == 0);
}

TEST_CASE("udp_socket: a datagram longer than the buffer is flagged, with its length") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket a = bound();
  udp_socket b = bound();
  must(rt.block_on(a.send_to(bytes_of("0123456789"), at(b))));
  must(rt.block_on(a.send_to(bytes_of("next"), at(b))));
  std::byte room[4];
  const udp_socket::datagram d = must(rt.block_on(b.receive_from(room)));
  CHECK(d.truncated());
  CHECK(d.size == 4);
  CHECK(d.full_size == 10);
  CHECK(text_of(room) == "0123");
  CHECK(must(rt.block_on(text_from(b))) == "next");
}

TEST_CASE("udp_socket: the longest datagram passes; a longer one is refused and the socket lives on") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket a = bound({.send_buffer = 300'000});
  udp_socket b = bound({.receive_buffer = 300'000});
  const std::string longest(65507, 'L');
  must(rt.block_on(a.send_to(bytes_of(longest), at(b))));
  std::vector<std::byte> room(70'000);
  const udp_socket::datagram d = must(rt.block_on(b.receive_from(room)));
  CHECK(text_of(std::span(room).first(d.size)) == longest);
  const result<void> sent = rt.block_on(a.send_to(bytes_of(longest + "x"), at(b)));
  REQUIRE(!sent);
  CHECK(sent.error() == std::make_error_code(std::errc::message_size));
  CHECK_THAT(std::string(sent.error().text()),
             Catch::Contains("send to " + at(b).to_string()) && Catch::Contains("65507"));
  must(rt.block_on(a.send_to(bytes_of("short"), at(b))));
  CHECK(must(rt.block_on(text_from(b))) == "short");
}

TEST_CASE("udp_socket: a connected socket hears only its peer") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket peer = bound();
  udp_socket stranger = bound();
  udp_socket s = must(udp_socket::connect(at(peer), {.read_deadline = 5s}));
  CHECK(must(s.remote_endpoint()) == at(peer));
  CHECK(peer.remote_endpoint().error() == std::make_error_code(std::errc::not_connected));
  must(rt.block_on(s.send(bytes_of("hello"))));
  const auto [text, from] = must(rt.block_on(next_of(peer)));
  CHECK(text == "hello");
  must(rt.block_on(stranger.send_to(bytes_of("noise"), from)));
  must(rt.block_on(peer.send_to(bytes_of("answer"), from)));
  CHECK(must(rt.block_on(text_from(s))) == "answer");
}

TEST_CASE("udp_socket: a connected socket can choose where it sends from") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket peer = bound();
  const ip_endpoint from = unused_port();
  udp_socket s = must(udp_socket::connect(at(peer), {.from = from}));
  must(rt.block_on(s.send(bytes_of("x"))));
  CHECK(must(rt.block_on(next_of(peer))).second == from);
}

TEST_CASE("udp_socket: an unreachable port is connection_refused, and not the end of the socket") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const ip_endpoint to = unused_port();
  udp_socket s = must(udp_socket::connect(to, {.read_deadline = 5s}));
  for (int i = 0; i < 3; ++i) {
    must(rt.block_on(s.send(bytes_of("anybody?"))));
    std::byte room[16];
    const auto got = rt.block_on(s.receive_from(room));  // waits: what says so wakes it
    REQUIRE(!got);
    CHECK(got.error() == std::make_error_code(std::errc::connection_refused));
    CHECK_THAT(std::string(got.error().text()), Catch::Contains(to.to_string()));
  }
  // A receiver is bound there, and the same socket reaches it.
  udp_socket late = must(udp_socket::bind(to, {.read_deadline = 5s}));
  must(rt.block_on(s.send(bytes_of("now?"))));
  const auto [text, from] = must(rt.block_on(next_of(late)));
  CHECK(text == "now?");
  must(rt.block_on(late.send_to(bytes_of("yes"), from)));
  CHECK(must(rt.block_on(text_from(s))) == "yes");
}

TEST_CASE("udp_socket: sending to a port without a socket does not disturb a socket without a peer") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket s = bound();
  udp_socket other = bound();
  must(rt.block_on(s.send_to(bytes_of("lost"), unused_port())));
  must(rt.block_on(other.send_to(bytes_of("found"), at(s))));
  CHECK(must(rt.block_on(text_from(s))) == "found");
}

TEST_CASE("udp_socket: a batch takes what is there, each with its sender and length") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket a = bound();
  udp_socket b = bound();
  udp_socket to = bound();
  const auto fill = [](udp_socket& x, udp_socket& y, ip_endpoint dest) -> task<void> {
    must(co_await x.send_to(bytes_of("from a"), dest));
    must(co_await y.send_to({}, dest));
    must(co_await y.send_to(bytes_of("much longer than the batch has room for"), dest));
  };
  must(rt.block_on(fill(a, b, at(to))));
  datagram_batch batch(8, 16);
  CHECK(must(rt.block_on(to.receive_batch(batch))) == 3);
  REQUIRE(batch.size() == 3);
  CHECK(text_of(batch[0]) == "from a");
  CHECK(batch.peer(0) == at(a));
  CHECK(!batch.truncated(0));
  CHECK(batch[1].empty());
  CHECK(batch.peer(1) == at(b));
  CHECK(batch.truncated(2));
  CHECK(text_of(batch[2]) == "much longer than");
  // Nothing of it is left in the next one.
  must(rt.block_on(a.send_to(bytes_of("0123456789abcdef"), at(to))));
  CHECK(must(rt.block_on(to.receive_batch(batch))) == 1);
  CHECK(text_of(batch[0]) == "0123456789abcdef");
  CHECK(!batch.truncated(0));
}

TEST_CASE("udp_socket: what exceeds a batch waits for the next, and none is lost between them") {
  const int count = 500;
  udp_socket to;
  udp_socket from;
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = GENERATE(1U, 2U)});
  to = bound({.receive_buffer = 4 * 1024 * 1024});
  from = bound();
  const auto send_all = [](udp_socket* s, ip_endpoint dest, int n) -> task<void> {
    datagram_batch batch(7, 64);  // in step with nothing
    for (int i = 0; i < n;) {
      batch.clear();
      while (i < n && batch.push(bytes_of(std::to_string(i)), dest)) ++i;
      if (must(co_await s->send_batch(batch)) != batch.size()) throw std::runtime_error("refused");
      if (i % 35 == 0) co_await sleep_for(1ms);
    }
  };
  const auto receive_all = [](udp_socket& s, int n) -> task<int> {
    datagram_batch batch(5, 64);
    int next = 0;
    while (next < n) {
      const std::size_t got = must(co_await s.receive_batch(batch));
      for (std::size_t i = 0; i < got; ++i) {
        if (text_of(batch[i]) != std::to_string(next)) co_return -next;
        ++next;
      }
    }
    co_return next;
  };
  rt.spawn(send_all(&from, at(to), count));
  CHECK(must(rt.block_on(receive_all(to, count))) == count);
  CHECK(must(to.kernel_drops()) == 0);
}

TEST_CASE("udp_socket: an echo of batches answers each sender, and may change the bytes") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket server = bound();
  std::vector<udp_socket> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(bound());
  const auto ask = [](std::vector<udp_socket>& all, ip_endpoint to) -> task<void> {
    for (std::size_t i = 0; i < all.size(); ++i)
      must(co_await all[i].send_to(bytes_of(std::to_string(i)), to));
  };
  const auto answer = [](udp_socket& s) -> task<std::size_t> {
    datagram_batch batch;
    must(co_await s.receive_batch(batch));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::size_t n = batch[i].size();
      batch.resize(i, n + 1);
      batch[i][n] = std::byte{'!'};
    }
    co_return must(co_await s.send_batch(batch));
  };
  must(rt.block_on(ask(clients, at(server))));
  CHECK(must(rt.block_on(answer(server))) == clients.size());
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CHECK(must(rt.block_on(text_from(clients[i]))) == std::to_string(i) + "!");
  }
}

TEST_CASE("udp_socket: one datagram that the kernel refuses does not keep the others of its batch") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket from = bound();
  udp_socket to = bound();
  datagram_batch batch(4, 65535);
  CHECK(batch.push(bytes_of("before"), at(to)));
  CHECK(batch.push(bytes_of(std::string(65535, 'x')), at(to)));
  CHECK(batch.push(bytes_of("after"), at(to)));
  CHECK(must(rt.block_on(from.send_batch(batch))) == 2);
  CHECK(batch.refused() == 1);
  CHECK(batch.why_refused() == std::errc::message_size);
  CHECK(must(rt.block_on(text_from(to))) == "before");
  CHECK(must(rt.block_on(text_from(to))) == "after");
}

TEST_CASE(
    "udp_socket: a batch of any sizes and peers arrives whole and in order, also where none can be joined") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  const bool refused = GENERATE(false, true);
  CAPTURE(rt.simulated(), refused);
  udp_socket from = bound();
  if (refused && !rt.simulated()) {
    const int on = 1;  // without checksums the kernel does not split
    REQUIRE(::setsockopt(from.native_handle(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) == 0);
  }
  udp_socket to[2] = {bound({.receive_buffer = 1 << 20}), bound({.receive_buffer = 1 << 20})};
  std::mt19937 random(testkit::seed_or(1));
  std::vector<std::string> sent[2];
  datagram_batch batch(100, 2000);
  for (int round = 0; round < 10; ++round) {
    batch.clear();
    while (batch.size() < batch.capacity()) {
      const std::size_t peer = random() % 2;
      const std::size_t size = std::array{0U, 1U, 64U, 1999U, 2000U}[random() % 5];
      for (std::size_t n = random() % 90; n > 0; --n) {
        std::string text(size, '.');
        if (size > 8) std::ranges::copy(std::to_string(sent[peer].size()), text.begin());
        if (!batch.push(bytes_of(text), at(to[peer]))) break;
        sent[peer].push_back(text);
      }
    }
    CHECK(must(rt.block_on(from.send_batch(batch))) == batch.size());
    CHECK(batch.refused() == 0);
    for (std::size_t peer = 0; peer < 2; ++peer) {
      for (const std::string& text : sent[peer]) REQUIRE(must(rt.block_on(text_from(to[peer]))) == text);
      sent[peer].clear();
    }
  }
}

TEST_CASE("udp_socket: datagrams of one size to one peer cross the kernel as one message") {
  runtime rt({.workers = 1});
  udp_socket from = bound();
  udp_socket to = bound();
  const int on = 1;  // shows what has come together
  REQUIRE(::setsockopt(to.native_handle(), IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0);
  datagram_batch batch(8, 100);
  for (int i = 0; i < 5; ++i) REQUIRE(batch.push(bytes_of(std::string(100, 'x')), at(to)));
  REQUIRE(batch.push(bytes_of("last"), at(to)));
  REQUIRE(batch.push(bytes_of("longer than that"), at(to)));
  CHECK(must(rt.block_on(from.send_batch(batch))) == 7);
  CHECK(must(rt.block_on(text_from(to))) == std::string(500, 'x') + "last");
  CHECK(must(rt.block_on(text_from(to))) == "longer than that");
}

TEST_CASE("udp_socket: a full batch takes no more, and none that is too long") {
  datagram_batch batch(2, 4);
  CHECK(batch.capacity() == 2);
  CHECK(!batch.push(bytes_of("12345"), ip_endpoint::loopback(1)));
  CHECK(batch.push(bytes_of("1234"), ip_endpoint::loopback(1)));
  CHECK(batch.push({}, ip_endpoint::loopback_v6(2)));
  CHECK(!batch.push({}, ip_endpoint::loopback(3)));
  CHECK(batch.peer(0) == ip_endpoint::loopback(1));
  CHECK(batch.peer(1) == ip_endpoint::loopback_v6(2));
  batch.clear();
  CHECK(batch.empty());
}

TEST_CASE("udp_socket: a dual-stack socket talks to both, and shows IPv4 peers as such") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket both = must(udp_socket::bind(ip_endpoint::any_v6(0), {.dual_stack = true, .read_deadline = 5s}));
  const std::uint16_t port = at(both).port();
  udp_socket four = bound();
  udp_socket six = must(udp_socket::bind(ip_endpoint::loopback_v6(), {.read_deadline = 5s}));
  const auto meet = [](udp_socket& a, udp_socket& b, ip_endpoint to, bool batched) -> task<std::string> {
    must(co_await a.send_to(bytes_of("hi"), to));
    const auto [text, from] = co_await next_of(b);
    if (from != at(a)) co_return from.to_string();
    if (batched) {
      datagram_batch batch;
      if (!batch.push(bytes_of(text), from)) co_return "no room";
      if (must(co_await b.send_batch(batch)) != 1) co_return batch.why_refused().message();
    } else {
      must(co_await b.send_to(bytes_of(text), from));
    }
    co_return co_await text_from(a);
  };
  for (const bool batched : {false, true}) {
    CHECK(must(rt.block_on(meet(four, both, ip_endpoint::loopback(port), batched))) == "hi");
    CHECK(must(rt.block_on(meet(six, both, ip_endpoint::loopback_v6(port), batched))) == "hi");
  }
}

TEST_CASE("udp_socket: a port in use is a clear error, and two may share one") {
  const udp_socket first = bound();
  const auto second = udp_socket::bind(at(first));
  REQUIRE(!second);
  CHECK(second.error() == std::make_error_code(std::errc::address_in_use));
  CHECK_THAT(std::string(second.error().text()),
             Catch::Contains("cannot receive at 127.0.0.1:") && Catch::Contains("choose another port"));
  const udp_socket one = bound({.reuse_port = true});
  CHECK(udp_socket::bind(at(one), {.reuse_port = true}));
  CHECK(udp_socket::bind(ip_endpoint::loopback(), {.dual_stack = true}).error() == errc::invalid_argument);
}

TEST_CASE("udp_socket: a group receives what is sent to it, until it is left") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  // No other socket of the tests has this group on the loopback interface and this port.
  const ip_endpoint group = must(ip_endpoint::parse("239.255.77.1:1"));
  const auto member = [&](ip_endpoint where) {
    udp_socket s = must(udp_socket::bind(where, {.reuse_address = true, .read_deadline = 5s}));
    must(s.join(group, "lo"));
    return s;
  };
  udp_socket one = member(ip_endpoint::any(0));
  udp_socket two = member(ip_endpoint::any(at(one).port()));
  udp_socket from = must(udp_socket::bind(ip_endpoint::loopback()));
  must(from.set_multicast_interface("lo"));
  must(from.set_multicast_ttl(1));
  must(from.set_multicast_loopback(true));
  const ip_endpoint to = group.with_port(at(one).port());
  must(rt.block_on(from.send_to(bytes_of("to all"), to)));
  CHECK(must(rt.block_on(text_from(one))) == "to all");
  CHECK(must(rt.block_on(text_from(two))) == "to all");
  must(two.leave(group, "lo"));
  must(rt.block_on(from.send_to(bytes_of("again"), to)));
  CHECK(must(rt.block_on(text_from(one))) == "again");
  std::byte room[8];
  // one has it, and the kernel delivers to all members before a send returns.
  CHECK(!must(two.try_receive_from(room)));
  const result<void> twice = two.leave(group, "lo");
  REQUIRE(!twice);
  CHECK(twice.error() == std::make_error_code(std::errc::address_not_available));
}

TEST_CASE(
    "udp_socket: an address that is not a group, and an unknown interface, are refused with the reason") {
  udp_socket s = bound();
  const auto not_a_group = s.join(ip_endpoint::loopback());
  REQUIRE(!not_a_group);
  CHECK_THAT(std::string(not_a_group.error().text()), Catch::Contains("224.0.0.0/4"));
  const auto nowhere = s.join(must(ip_endpoint::parse("239.1.1.1:1")), "nosuch0");
  REQUIRE(!nowhere);
  CHECK_THAT(std::string(nowhere.error().text()), Catch::Contains("'nosuch0'") && Catch::Contains("ip link"));
  const auto broadcast = must(ip_endpoint::parse("255.255.255.255:9"));
  const result<bool> refused = s.try_send_to(bytes_of("x"), broadcast);
  REQUIRE(!refused);
  CHECK(refused.error() == std::make_error_code(std::errc::permission_denied));
  CHECK_THAT(std::string(refused.error().text()), Catch::Contains("broadcast"));
}

TEST_CASE("udp_socket: what does not fit the kernel's buffer is dropped and counted") {
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  udp_socket to = bound({.receive_buffer = 4096});
  udp_socket from = bound();
  const auto flood = [](udp_socket& s, ip_endpoint dest) -> task<void> {
    const std::string text(1000, 'f');
    for (int i = 0; i < 100; ++i) must(co_await s.send_to(bytes_of(text), dest));
  };
  must(rt.block_on(flood(from, at(to))));
  rt.settle();
  std::byte room[1000];
  std::uint32_t received = 0;
  while (must(to.try_receive_from(room))) ++received;
  CHECK(received < 100);
  CHECK(must(to.kernel_drops()) == 100 - received);
}

TEST_CASE("udp_socket: deadlines, a second receive, closing and stopping end a receive as they should") {
  udp_socket s;
  result<udp_socket::datagram> first;
  on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});
  s = must(udp_socket::bind(ip_endpoint::loopback(), {.read_deadline = 10ms}));
  std::byte room[8];
  CHECK(rt.block_on(s.receive_from(room)).error() == errc::timeout);
  datagram_batch batch;
  CHECK(rt.block_on(s.receive_batch(batch)).error() == errc::timeout);
  s.set_read_deadline(forever);
  CHECK(rt.block_on(with_timeout(s.receive_from(room), 5ms)).error() == errc::timeout);

  const auto reader = [](udp_socket& from, result<udp_socket::datagram>& to) -> task<void> {
    std::byte buffer[8];
    to = co_await from.receive_from(buffer);
  };
  rt.spawn(reader(s, first));
  const auto test = [](udp_socket& both) -> task<std::pair<error, error>> {
    co_await sleep_for(5ms);
    std::byte buffer[8];
    const auto second = co_await both.receive_from(buffer);
    const auto tried = both.try_receive_from(buffer);
    both.close();
    co_await sleep_for(5ms);
    co_return std::pair(second.error(), tried.error());
  };
  const auto [second, tried] = must(rt.block_on(test(s)));
  CHECK(second == errc::invalid_argument);
  CHECK(tried == errc::invalid_argument);
  REQUIRE(!first);
  CHECK(first.error() == errc::closed);
  CHECK(rt.block_on(s.send_to(bytes_of("x"), ip_endpoint::loopback(9))).error() == errc::closed);
  CHECK(udp_socket().kernel_drops().error() == errc::closed);
  CHECK(udp_socket().set_multicast_ttl(1).error() == errc::closed);
}
