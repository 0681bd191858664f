// troupe-kv-demo: starts a troupe-kv, loads it over TCP while crashing its shards, stops it under load, and
// checks that every acknowledged write is present: before the stop, and after a restart.
//
// The last line is the result. Exit status: 0 OK, 1 when a write was lost or the server hung.
#include "load_client.hpp"
#include "resp_connection.hpp"
#include "scoreboard.hpp"
#include "server_process.hpp"

#include <troupe/actors.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <future>
#include <memory>
#include <random>
#include <signal.h>
#include <string>
#include <thread>
#include <vector>

namespace kv_demo {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using clients = std::vector<troupe::ref_of<load_client>>;

constexpr auto crash_period = 200ms;
constexpr auto load_before_stop = 500ms;  // of writes that the stop of the server interrupts

struct options {
  std::string server = "troupe-kv";
  int seconds = 20;
  int clients = 16;
  int shards = 4;
  bool serve = false;
};

volatile std::sig_atomic_t interrupted = 0;

void note_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

/// The cause of a failed run, for the last line.
struct failure {
  std::string why;
};

/// Sends `m` to every client; true when all of them answer true.
template <class M>
troupe::task<bool> all(const clients& to, M m) {
  std::vector<troupe::pending_reply<M>> asked;
  asked.reserve(to.size());
  for (const auto& client : to) asked.push_back(client.request(m, troupe::forever));
  bool good = true;
  for (auto& answer : asked) {
    const troupe::result<bool> r = co_await answer;
    good = good && r && *r;
  }
  co_return good;
}

/// The connection that crashes shards and observes the server.
class controller {
 public:
  controller(troupe::system& sys, std::uint16_t port)
      : sys_(sys), connection_(sys.block_on(resp_connection::open(port))) {
    if (!connection_) throw failure{"cannot connect: " + connection_.error().to_string()};
  }

  std::string ask(std::initializer_list<std::string_view> words) {
    const auto r = sys_.block_on(connection_->ask(words));
    if (!r) throw failure{"the server does not answer: " + r.error().to_string()};
    return std::string(r->text);
  }
  void crash(std::size_t shard) { ask({"TROUPE", "CRASH", std::to_string(shard)}); }

  /// A number from INFO.
  std::uint64_t info_number(const std::string& name) {
    const std::string info = ask({"INFO"});
    const std::size_t at = info.find(name + ":");
    if (at == std::string::npos) throw failure{"INFO has no " + name};
    return std::strtoull(info.c_str() + at + name.size() + 1, nullptr, 10);
  }

  /// The number of running shards, and of all shards in the tree.
  std::pair<int, int> shards() {
    const std::string tree = ask({"TROUPE", "TREE"});
    std::pair<int, int> count;
    for (std::size_t at = 0; (at = tree.find("shard_actor]", at)) != std::string::npos; ++at) {
      const std::string_view line = std::string_view(tree).substr(at, tree.find('\n', at) - at);
      ++count.second;
      if (line.find(" running") != line.npos || line.find(" suspended") != line.npos) ++count.first;
    }
    return count;
  }

 private:
  troupe::system& sys_;
  troupe::result<resp_connection> connection_;
};

/// Crashes a random shard every 200 ms and prints a line of statistics each second, until the time is over.
void crash_and_report(controller& control, const scoreboard& board, const options& o) {
  std::minstd_rand random{std::random_device{}()};
  const auto start = steady::now();
  auto next_crash = start + crash_period;
  auto next_line = start + 1s;
  std::uint64_t before = 0;
  for (int second = 1; second <= o.seconds && interrupted == 0;) {
    std::this_thread::sleep_until(std::min(next_crash, next_line));
    if (steady::now() >= next_crash) {
      control.crash(random() % static_cast<unsigned>(o.shards));
      next_crash += crash_period;
    }
    if (steady::now() < next_line) continue;
    next_line += 1s;
    const std::uint64_t now = board.operations.load(std::memory_order_relaxed);
    const auto [running, total] = control.shards();
    std::printf("%3d s  %8llu ops/s  tree: %d of %d shards running, %llu connections  restarts: %llu\n",
                second++, static_cast<unsigned long long>(now - before), running, total,
                static_cast<unsigned long long>(control.info_number("connected_clients")),
                static_cast<unsigned long long>(control.info_number("shard_restarts")));
    std::fflush(stdout);
    before = now;
  }
}

template <class M>
std::future<bool> begin(troupe::system& sys, const clients& to, M m) {
  return std::async(std::launch::async, [&sys, &to, m] { return sys.block_on(all(to, m)).value_or(false); });
}

void check(bool good, const char* otherwise) {
  if (!good) throw failure{otherwise};
}

void run(const options& o) {
  const std::vector<std::string> arguments = {"--shards", std::to_string(o.shards), "--fsync", "everysec"};
  server_process server(o.server);
  check(server.start(arguments), "the server did not start");
  std::printf(
      "troupe-kv runs with %d shards on port %u; %d clients read and write, a shard is crashed every %lld "
      "ms\n",
      o.shards, unsigned{server.port()}, o.clients, static_cast<long long>(crash_period.count()));

  troupe::system sys({.name = "demo"});
  const auto board = std::make_shared<scoreboard>();
  clients load;
  for (int i = 0; i < o.clients; ++i)
    load.push_back(sys.spawn<load_client>({}, static_cast<std::size_t>(i), board));

  std::uint64_t restarts = 0;
  {
    controller control(sys, server.port());
    auto loading = begin(sys, load, run_load{server.port()});
    crash_and_report(control, *board, o);
    board->stop = true;
    check(loading.get(), "a client was not served");
    restarts = control.info_number("shard_restarts");
  }
  check(begin(sys, load, verify{server.port()}).get(), "a client could not read its keys");

  std::printf("stopping the server under load, and starting it again\n");
  board->stop = false;
  auto loading = begin(sys, load, run_load{server.port(), true});
  std::this_thread::sleep_for(load_before_stop);
  const auto shutdown = server.stop();
  board->stop = true;
  check(loading.get() && shutdown, "the server did not stop in order");
  check(server.start(arguments), "the server did not start again");
  check(begin(sys, load, verify{server.port()}).get(), "a client could not read its keys after the restart");
  check(server.stop().has_value(), "the restarted server did not stop in order");

  const auto count = [](const std::atomic<std::uint64_t>& n) {
    return static_cast<unsigned long long>(n.load());
  };
  if (count(board->lost) != 0) {
    throw failure{"acknowledged=" + std::to_string(count(board->acknowledged)) +
                  " lost=" + std::to_string(count(board->lost))};
  }
  std::printf("demo: OK acknowledged=%llu lost=0 restarts=%llu p99_us=%llu shutdown_ms=%lld\n",
              count(board->acknowledged), static_cast<unsigned long long>(restarts),
              static_cast<unsigned long long>(board->round_trips.quantile(0.99) / 1000),
              static_cast<long long>(shutdown->count()));
}

void serve(const options& o) {
  server_process server(o.server);
  check(server.start({"--shards", std::to_string(o.shards)}), "the server did not start");
  std::printf(
      "troupe-kv runs; connect with\n\n  redis-cli -p %u\n\nand try TROUPE TREE and TROUPE CRASH 0. "
      "Ctrl-C stops it and removes its data.\n",
      unsigned{server.port()});
  std::fflush(stdout);
  while (interrupted == 0 && !server.has_ended()) std::this_thread::sleep_for(100ms);
  if (interrupted != 0) check(server.stop().has_value(), "the server did not stop in order");
}

}  // namespace
}  // namespace kv_demo

int main(int argc, char** argv) {
  kv_demo::options o;
  CLI::App app("Loads a troupe-kv, crashes its shards, and checks that no acknowledged write is lost",
               "demo");
  app.add_option("--server", o.server, "The server program to start")->capture_default_str();
  app.add_option("--seconds", o.seconds, "Seconds of load")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--clients", o.clients, "Connections")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--shards", o.shards, "Shards")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_flag("--serve", o.serve, "Only start the server, and print how to connect to it");
  CLI11_PARSE(app, argc, argv);

  kv_demo::note_interrupts();
  try {
    o.serve ? kv_demo::serve(o) : kv_demo::run(o);
    return 0;
  } catch (const kv_demo::failure& f) {
    std::printf("demo: FAILED %s\n", f.why.c_str());
  } catch (const std::exception& e) {
    std::printf("demo: FAILED %s\n", e.what());
  }
  return 1;
}
