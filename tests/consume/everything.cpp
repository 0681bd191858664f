// A program that uses a good part of Troupe, so that its templates are instantiated in the user's own code:
// under the user's warnings, without RTTI, with hidden symbols, against shared libraries. What has to hold in
// all of these: an exception of a handler reaches the supervisor, which restarts the actor; the watcher is
// told of the end; the bytes sent to a server come back.
#include <troupe/troupe.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <future>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace {

using namespace std::chrono_literals;

struct deposit {
  long amount;
};
struct balance {
  using reply = long;
};
struct fail {};

/// Crashes when told to.
struct account {
  using accepts = troupe::protocol<deposit, balance, fail>;
  void handle(deposit m) { sum += m.amount; }
  [[nodiscard]] long handle(balance) const { return sum; }
  void handle(fail) { throw troupe::troupe_error(troupe::error(troupe::errc::invalid_argument)); }
  long sum = 0;
};

struct how_it_ended {
  using reply = std::string;
};
struct look_at {
  troupe::any_ref who;
};

struct watcher {
  using accepts = troupe::protocol<look_at, how_it_ended>;
  void handle(look_at m, troupe::context& ctx) { ctx.watch(m.who); }
  void handle(const troupe::down&) { ended = "ended"; }
  [[nodiscard]] std::string handle(how_it_ended) const { return ended; }
  std::string ended = "runs";
};

/// A coroutine as an actor: adds up, then answers.
troupe::task<void> collector(troupe::context&, troupe::inbox<deposit> in) {
  for (int i = 0; i < 3; ++i) {
    const std::variant<deposit> m = co_await in.receive();
    if (std::get<deposit>(m).amount < 0) co_return;
  }
}

/// One client of the echo server.
struct session {
  troupe::task<troupe::result<std::size_t>> on_data(std::span<const std::byte> data,
                                                    troupe::tcp_stream& peer) {
    const troupe::result<void> sent = co_await peer.write_all(data);
    if (!sent) co_return std::unexpected(sent.error());
    co_return data.size();
  }
};

troupe::task<bool> echoes(troupe::ip_endpoint server) {
  const std::array<std::byte, 3> sent{std::byte{1}, std::byte{2}, std::byte{3}};
  std::array<std::byte, 3> back{};
  troupe::result<troupe::tcp_stream> peer = co_await troupe::tcp_stream::connect(server);
  if (!peer) co_return false;
  const troupe::result<void> written = co_await peer->write_all(sent);
  if (!written) co_return false;
  const troupe::result<void> read = co_await troupe::read_exactly(*peer, back);
  co_return read.has_value() && back == sent;
}

/// A class of the library's, implemented by its user.
class counting_log final : public troupe::log_sink {
 public:
  void write(troupe::log_level, std::string_view) noexcept override { ++lines; }
  std::atomic<int> lines{0};
};

bool check(bool ok, const char* what) {
  if (!ok) std::fprintf(stderr, "everything: FAILED %s\n", what);
  return ok;
}

}  // namespace

int main() {
  bool ok = true;
  counting_log log;
  troupe::system sys({.workers = 2, .name = "everything", .log = &log});

  const troupe::ref<deposit, balance, fail> a = sys.spawn<account>({.name = "account"});
  const auto w = sys.spawn<watcher>({.name = "watcher"});
  const auto c = sys.spawn(collector, {.name = "collector"});
  ok &= check(w.tell(look_at{c}) == troupe::send_result::ok, "tell to the watcher");
  ok &= check(sys.block_on(w.ask(how_it_ended{}, 5s)) == "runs", "the watcher answers");
  ok &= check(a.tell(deposit{2}) == troupe::send_result::ok, "tell");
  ok &= check(sys.block_on(a.ask(balance{}, 5s)) == 2, "ask");
  ok &= check(a.tell(fail{}) == troupe::send_result::ok, "tell to fail");
  ok &= check(sys.block_on(a.ask(balance{}, 5s)) == 0, "an exception restarts the actor");
  ok &= check(log.lines > 0, "a crash is logged");

  ok &= check(c.tell(deposit{-1}) == troupe::send_result::ok, "tell to a coroutine");
  troupe::result<std::string> end = sys.block_on(w.ask(how_it_ended{}, 5s));
  for (int i = 0; i < 1000 && end == "runs"; ++i) {
    sys.block_on(troupe::sleep_for(5ms));
    end = sys.block_on(w.ask(how_it_ended{}, 5s));
  }
  ok &= check(end == "ended", "the notice of the end");

  std::promise<troupe::ip_endpoint> listening;
  const troupe::tcp_server<session> server(
      "echo", {.listen = troupe::ip_endpoint::loopback(0),
               .on_listening = [&listening](const troupe::ip_endpoint& at) { listening.set_value(at); }});
  ok &= check(sys.start(troupe::supervisor("app").child(server)).has_value(), "the server starts");
  ok &= check(sys.block_on(echoes(listening.get_future().get())) == true, "the server echoes");

  std::puts(ok ? "everything: OK" : "everything: FAILED");
  return ok ? 0 : 1;
}
