// Unix sockets: streams, datagrams, names and files.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/transport/sim_network.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/un.h>

using namespace troupe;
using namespace troupe_test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// A directory that goes with the test.
class directory {
 public:
  directory() {
    std::string name = (fs::temp_directory_path() / "troupe-unix-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    path_ = name;
  }
  ~directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// What a server that crashed leaves behind.
void leave_stale_socket(const std::string& path, int type) {
  const int fd = ::socket(AF_UNIX, type, 0);
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  path.copy(a.sun_path, sizeof a.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
  ::close(fd);
  REQUIRE(fs::exists(path));
}

task<std::pair<unix_stream, unix_stream>> meet(unix_listener& l) {
  unix_stream client = must(co_await unix_stream::connect(l.path(), 5s));
  unix_stream server = must(co_await l.accept());
  co_return std::pair(std::move(client), std::move(server));
}

task<std::string> talk(unix_listener& l) {
  auto both = co_await meet(l);
  must(co_await both.first.write_all(bytes_of("hello")));
  std::byte room[16];
  const std::size_t n = must(co_await both.second.read_some(room));
  both.first.close();
  if (must(co_await both.second.read_some(room)) != 0) co_return "no end";
  co_return text_of(std::span(room, n));
}

task<void> echo(unix_stream s) {
  std::vector<std::byte> chunk(5000);
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) break;
    must(co_await s.write_all(std::span(chunk).first(n)));
  }
  must(s.shutdown_write());
}

task<void> write_and_finish(unix_stream* s, std::span<const const_buffer> pieces) {
  must(co_await s->write_all(pieces));
  must(s->shutdown_write());
}

task<std::string> read_to_end(unix_stream& s) {
  std::string all;
  std::byte chunk[3000];
  for (;;) {
    const std::size_t n = must(co_await s.read_some(chunk));
    if (n == 0) co_return all;
    all += text_of(std::span(chunk, n));
  }
}

task<std::pair<std::string, std::string>> next_of(unix_datagram& s) {
  std::byte room[256];
  const unix_datagram::datagram d = must(co_await s.receive_from(room));
  co_return std::pair(text_of(std::span(room, d.size)), d.from);
}

}  // namespace

TEST_CASE("unix_stream: a client reaches a listener by its path, and the file goes with the listener") {
  runtime rt({.workers = GENERATE(1U, 2U)});
  const directory dir;
  const std::string path = dir / "s";
  {
    unix_listener l = must(unix_listener::bind(path));
    CHECK(fs::is_socket(path));
    CHECK(must(rt.block_on(talk(l))) == "hello");
    unix_listener moved = std::move(l);
    CHECK(must(rt.block_on(talk(moved))) == "hello");
  }
  CHECK(!fs::exists(path));
}

TEST_CASE("unix_stream: 2 MiB in pieces come back from an echo as they were") {
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 500; ++i) {
    texts.emplace_back(static_cast<std::size_t>(i % 97 * 90), static_cast<char>('a' + i % 26));
    all += texts.back();
  }
  const std::vector<const_buffer> pieces = [&] {
    std::vector<const_buffer> v;
    for (const std::string& t : texts) v.push_back(bytes_of(t));
    return v;
  }();
  auto both = must(unix_stream::pair());
  runtime rt({.workers = 1});  // reader and writer are two tasks, and a stream is for one worker at a time
  rt.spawn(echo(std::move(both.second)));
  rt.spawn(write_and_finish(&both.first, pieces));
  CHECK(must(rt.block_on(read_to_end(both.first))) == all);
}

TEST_CASE("unix_stream: the kernel vouches for the peer") {
  const auto both = must(unix_stream::pair());
  const unix_stream::credentials c = must(both.first.peer());
  CHECK(c.process == ::getpid());
  CHECK(c.user == ::getuid());
  CHECK(c.group == ::getgid());
}

TEST_CASE("unix_stream: a peer that passes a descriptor does not keep us from what follows it") {
  // A read ends where a descriptor is attached, though more bytes are there.
  runtime rt({.workers = 1});
  auto both = must(unix_stream::pair({.read_deadline = 5s}));
  const auto send_with_descriptor = [](int through, std::string_view text) {
    iovec bytes{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr m{};
    m.msg_iov = &bytes;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = sizeof control;
    cmsghdr* const c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    const int passed = STDIN_FILENO;
    std::memcpy(CMSG_DATA(c), &passed, sizeof passed);
    return ::sendmsg(through, &m, 0);
  };
  const auto test = [&](unix_stream& from, unix_stream& to) -> task<std::string> {
    std::byte room[64];
    must(co_await from.write_all(bytes_of("hello ")));
    (void)must(co_await to.read_some(room));  // registers
    std::string all;
    if (send_with_descriptor(from.native_handle(), "one ") != 4) co_return "not sent";
    if (send_with_descriptor(from.native_handle(), "two") != 3) co_return "not sent";
    co_await sleep_for(10ms);  // both events are collected before the first read
    while (all.size() < 7) all += text_of(std::span(room, must(co_await to.read_some(room))));
    co_return all;
  };
  CHECK(must(rt.block_on(test(both.first, both.second))) == "one two");
}

TEST_CASE("unix_stream: a write that the peer does not read is cut at write_deadline") {
  runtime rt({.workers = 1});
  auto both = must(unix_stream::pair({.write_deadline = 30ms}));
  const std::string much(4 * 1024 * 1024, 'm');
  const result<void> written = rt.block_on(both.first.write_all(bytes_of(much)));
  REQUIRE(!written);
  CHECK(written.error() == errc::timeout);
  CHECK_THAT(std::string(written.error().text()),
             Contains("write to the other end of a pair: the peer does not read"));
}

TEST_CASE("unix_stream: a peer that is gone is an error, not a signal") {
  runtime rt({.workers = 1});
  auto both = must(unix_stream::pair());
  both.second.close();
  for (int i = 0; i < 2; ++i) {
    const result<void> written = rt.block_on(both.first.write_all(bytes_of("x")));
    REQUIRE(!written);
    CHECK(written.error() == std::make_error_code(std::errc::broken_pipe));
  }
}

TEST_CASE("unix_listener: a name in the kernel's own space leaves no file and needs none") {
  runtime rt({.workers = 1});
  const std::string name = "@troupe-test-" + std::to_string(::getpid());
  unix_listener l = must(unix_listener::bind(name));
  CHECK(!fs::exists(name));
  CHECK(must(rt.block_on(talk(l))) == "hello");
  const auto twice = unix_listener::bind(name);
  REQUIRE(!twice);
  CHECK(twice.error() == std::make_error_code(std::errc::address_in_use));
  l.close();
  CHECK(unix_listener::bind(name));
  CHECK(rt.block_on(unix_stream::connect(name, 1s)).error() ==
        std::make_error_code(std::errc::connection_refused));
}

TEST_CASE("unix_listener: the file of a server that crashed is replaced; that of a live one is not") {
  runtime rt({.workers = 1});
  const directory dir;
  const std::string path = dir / "s";
  leave_stale_socket(path, SOCK_STREAM);
  unix_listener l = must(unix_listener::bind(path));
  const auto second = unix_listener::bind(path);
  REQUIRE(!second);
  CHECK(second.error() == std::make_error_code(std::errc::address_in_use));
  CHECK_THAT(std::string(second.error().text()), Contains(path) && Contains("another program has it"));
  CHECK(fs::is_socket(path));
  // The one that asked is in the queue, and gone; the next is a client as any.
  const auto skip_the_probe = [](unix_listener& from) -> task<std::size_t> {
    unix_stream probe = must(co_await from.accept());
    std::byte room[1];
    co_return must(co_await probe.read_some(room));
  };
  CHECK(must(rt.block_on(skip_the_probe(l))) == 0);
  CHECK(must(rt.block_on(talk(l))) == "hello");
}

TEST_CASE("unix_listener: a file that is not a socket is left alone") {
  const directory dir;
  const std::string path = dir / "precious";
  std::ofstream(path) << "data";
  const auto l = unix_listener::bind(path);
  REQUIRE(!l);
  CHECK(l.error() == std::make_error_code(std::errc::file_exists));
  CHECK_THAT(std::string(l.error().text()), Contains("not a socket"));
  CHECK(fs::file_size(path) == 4);
}

TEST_CASE("unix_listener: closing leaves a file alone that another process has put in its place") {
  const directory dir;
  const std::string path = dir / "s";
  unix_listener l = must(unix_listener::bind(path));
  fs::remove(path);
  const unix_listener successor = must(unix_listener::bind(path));
  l.close();
  CHECK(fs::is_socket(path));
}

TEST_CASE("unix_listener: permissions are those asked for") {
  const directory dir;
  const std::string path = dir / "s";
  const unix_listener l = must(unix_listener::bind(path, {.permissions = 0600}));
  struct stat s{};
  REQUIRE(::lstat(path.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
}

TEST_CASE("unix_listener: a name that cannot be one is refused with the reason") {
  runtime rt({.workers = 1});
  const directory dir;
  const std::string longest = dir / std::string(107 - (dir / "").size(), 'x');
  CHECK(longest.size() == 107);
  unix_listener fits = must(unix_listener::bind(longest));
  CHECK(must(rt.block_on(talk(fits))) == "hello");
  for (const std::string& path : {std::string(), std::string("@"), longest + "x", std::string("a\0b", 3)}) {
    const auto l = unix_listener::bind(path);
    REQUIRE(!l);
    CHECK(l.error() == errc::invalid_argument);
    CHECK(rt.block_on(unix_stream::connect(path, 1s)).error() == errc::invalid_argument);
    CHECK(unix_datagram::bind(path).error() == errc::invalid_argument);
    CHECK(unix_datagram::connect(path).error() == errc::invalid_argument);
  }
  CHECK_THAT(std::string(unix_listener::bind(longest + "x").error().text()),
             Contains("108 bytes") && Contains("at most 107"));
}

TEST_CASE("unix_stream: connecting without a listener says why, and what to do") {
  runtime rt({.workers = 1});
  const directory dir;
  const auto nothing = rt.block_on(unix_stream::connect(dir / "none", 1s));
  REQUIRE(!nothing);
  CHECK(nothing.error() == std::make_error_code(std::errc::no_such_file_or_directory));
  CHECK_THAT(std::string(nothing.error().text()),
             Contains("connect to " + dir / "none") && Contains("server running"));
  leave_stale_socket(dir / "stale", SOCK_STREAM);
  const auto stale = rt.block_on(unix_stream::connect(dir / "stale", 1s));
  REQUIRE(!stale);
  CHECK(stale.error() == std::make_error_code(std::errc::connection_refused));
  CHECK_THAT(std::string(stale.error().text()), Contains("left the file behind"));
}

TEST_CASE("unix_stream: a client waits for room in a listener's queue, until its deadline") {
  const directory dir;
  unix_listener l = must(unix_listener::bind(dir / "s", {.backlog = 0}));
  runtime rt({.workers = 1});
  std::vector<unix_stream> queued;
  for (;;) {
    result<unix_stream> s = rt.block_on(unix_stream::connect(l.path(), 20ms));
    if (!s) {
      CHECK(s.error() == errc::timeout);
      CHECK_THAT(std::string(s.error().text()), Contains("the deadline passed"));
      break;
    }
    queued.push_back(std::move(*s));
    REQUIRE(queued.size() < 8);
  }
  const auto accept_soon = [](unix_listener* from) -> task<void> {
    co_await sleep_for(20ms);
    (void)must(co_await from->accept());
  };
  rt.spawn(accept_soon(&l));
  CHECK(rt.block_on(unix_stream::connect(l.path(), 5s)));
}

TEST_CASE("unix_datagram: a datagram arrives with its sender's name, and can be answered") {
  runtime rt({.workers = 1});
  const directory dir;
  unix_datagram server = must(unix_datagram::bind(dir / "server", {.read_deadline = 5s}));
  unix_datagram client = must(unix_datagram::connect(server.path(), dir / "client", {.read_deadline = 5s}));
  unix_datagram nameless = must(unix_datagram::connect(server.path()));
  const auto test = [](unix_datagram& s, unix_datagram& c, unix_datagram& n) -> task<std::string> {
    must(co_await c.send(bytes_of("ping")));
    const auto [text, from] = co_await next_of(s);
    if (from != c.path()) co_return "from " + from;
    must(co_await s.send_to(bytes_of(text + " pong"), from));
    must(co_await n.send(bytes_of("no answer")));
    const auto [words, nobody] = co_await next_of(s);
    if (!nobody.empty() || words != "no answer") co_return "from " + nobody;
    co_return (co_await next_of(c)).first;
  };
  CHECK(must(rt.block_on(test(server, client, nameless))) == "ping pong");
  const std::string path = client.path();
  CHECK(fs::is_socket(path));
  client.close();
  CHECK(!fs::exists(path));
}

TEST_CASE("unix_datagram: one without bytes is one, and one that is cut says so") {
  runtime rt({.workers = 1});
  auto both = must(unix_datagram::pair({.read_deadline = 5s}));
  must(rt.block_on(both.first.send({})));
  must(rt.block_on(both.first.send(bytes_of("0123456789"))));
  std::byte room[4];
  const auto empty = must(rt.block_on(both.second.receive_from(room)));
  CHECK(empty.full_size == 0);
  const auto cut = must(rt.block_on(both.second.receive_from(room)));
  CHECK(cut.truncated());
  CHECK(cut.size == 4);
  CHECK(cut.full_size == 10);
  CHECK(!must(both.second.try_receive_from(room)));
}

TEST_CASE("unix_datagram: who sends faster than the receiver takes waits, and nothing is lost") {
  const bool connected = GENERATE(true, false);
  const directory dir;
  unix_datagram to = must(unix_datagram::bind(dir / "to", {.read_deadline = 5s}));
  unix_datagram from =
      connected ? must(unix_datagram::connect(to.path())) : must(unix_datagram::bind(dir / "from"));
  runtime rt({.workers = 2});
  const auto send_all = [](unix_datagram* s, std::string path, int n) -> task<void> {
    for (int i = 0; i < n; ++i) {
      const std::string text = std::to_string(i);
      if (path.empty()) {
        must(co_await s->send(bytes_of(text)));
      } else {
        must(co_await s->send_to(bytes_of(text), path));
      }
    }
  };
  const auto receive_all = [](unix_datagram& s, int n) -> task<int> {
    co_await sleep_for(20ms);  // the kernel's queue is full by now
    for (int i = 0; i < n; ++i) {
      const auto [text, sender] = co_await next_of(s);
      if (text != std::to_string(i)) co_return i;
    }
    co_return n;
  };
  const int count = 3000;
  rt.spawn(send_all(&from, connected ? "" : to.path(), count));
  CHECK(must(rt.block_on(receive_all(to, count))) == count);
}

TEST_CASE("unix_datagram: a receiver that stays full is a timeout, and one that is gone an error") {
  runtime rt({.workers = 1});
  const directory dir;
  unix_datagram to = must(unix_datagram::bind(dir / "to"));
  unix_datagram connected = must(unix_datagram::connect(to.path(), {}, {.write_deadline = 20ms}));
  unix_datagram free = must(unix_datagram::bind(dir / "free", {.write_deadline = 20ms}));
  const auto fill = [](unix_datagram& s, std::string path) -> task<error> {
    for (;;) {
      result<void> sent;
      if (path.empty()) {
        sent = co_await s.send(bytes_of("x"));
      } else {
        sent = co_await s.send_to(bytes_of("x"), path);
      }
      if (!sent) co_return sent.error();
    }
  };
  CHECK(must(rt.block_on(fill(connected, {}))) == errc::timeout);
  CHECK(must(rt.block_on(fill(free, to.path()))) == errc::timeout);
  const std::string path = to.path();
  to.close();
  CHECK(rt.block_on(connected.send(bytes_of("x"))).error() ==
        std::make_error_code(std::errc::connection_refused));
  const result<void> gone = rt.block_on(free.send_to(bytes_of("x"), path));
  REQUIRE(!gone);
  CHECK(gone.error() == std::make_error_code(std::errc::no_such_file_or_directory));
  CHECK_THAT(std::string(gone.error().text()), Contains("send to " + path));
}

TEST_CASE("unix sockets: the simulated runtime has none, and says what to do") {
  sim::runtime rt;
  const sim::network net{rt};
  const auto text = [&](auto what) {
    const auto r = rt.block_on(std::move(what));
    REQUIRE_FALSE(r);
    CHECK(r.error().code() == std::errc::address_family_not_supported);
    return r.error().to_string();
  };
  CHECK_THAT(text(unix_stream::connect("/tmp/nowhere", 1s)), Contains("use the real runtime"));
  const auto bind = []() -> task<result<unix_datagram>> { co_return unix_datagram::bind("/tmp/nowhere"); };
  CHECK_THAT(text(bind()), Contains("use the real runtime"));
}
