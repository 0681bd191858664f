// The whole server on a simulated host: clients under loss, resets and partitions, while shards crash and the
// host loses power and with it a part of the unsynced data. No hang, no leak, no acknowledged write lost.
#include "kv/memory_files.hpp"
#include "kv/net/reply.hpp"
#include "kv/server.hpp"
#include "kv/shard/shard_actor.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>
#include <troupe/transport/tcp_stream.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using troupe::duration;
using troupe::task;

namespace {

constexpr unsigned seeds = troupe_test::sanitized ? 30 : 1000;
constexpr int clients = 3;
constexpr int writes = 25;  // of each client

// The knowledge of a client; outlives every crash.
struct client_notes {
  int acknowledged = 0;  // writes 1 to this
  int checked = 0;       // and found, after all faults
  std::string lost;      // a sentence about a write that was not found
  bool done = false;
};

/// The host that the server runs on, and its disk.
class server_machine {
 public:
  server_machine(troupe::sim::runtime& rt, const troupe::sim::network& net) : rt_(rt), host_(net, "server") {}
  ~server_machine() { crash(); }
  server_machine(const server_machine&) = delete;
  server_machine& operator=(const server_machine&) = delete;

  troupe::sim::host& host() { return host_; }
  bool is_up() const { return system_.has_value(); }

  void boot() {
    host_.restart();
    kv::server_options o;
    o.quiet = true;
    o.bind = host_.endpoint(6379);
    o.idle_timeout = 5min;
    o.shards = {.directory = "data", .count = 2, .fsync = kv::fsync_policy::always, .files = disk_.get()};
    server_ = std::make_shared<kv::server_state>(o);
    for (std::size_t shard = 0; shard < o.shards.count; ++shard) {
      auto loaded = kv::load_shard(o.shards, shard);
      INFO((loaded ? std::string() : loaded.error().text));
      REQUIRE(loaded);
      server_->loaded[shard] = std::move(*loaded);
    }
    system_.emplace(host_, troupe::system_options{.name = "kv", .log = &troupe::silent_log()});
    const auto started = system_->start(kv::server_tree(server_));
    INFO((started ? std::string() : started.error().to_string()));
    REQUIRE(started);
  }

  /// A power loss: the disk keeps the synced data and a part of the rest.
  void crash() {
    if (!is_up()) return;
    host_.crash();
    const std::size_t synced = disk_->synced_point();
    const auto left = disk_->after_crash(synced + rt_.random() % (disk_->crash_points() - synced + 1));
    system_.reset();
    server_.reset();
    disk_ = std::make_unique<kv_test::memory_files>(left);
  }

  void crash_a_shard() {
    if (!is_up()) return;
    const auto shard = system_->at<kv::crash_shard>("/kv/shards/" + std::to_string(rt_.random() % 2));
    if (shard) (void)shard->tell(kv::crash_shard{});
  }

 private:
  troupe::sim::runtime& rt_;
  troupe::sim::host host_;
  std::unique_ptr<kv_test::memory_files> disk_ = std::make_unique<kv_test::memory_files>();
  std::shared_ptr<kv::server_state> server_;
  std::optional<troupe::system> system_;
};

/// One command and its reply; empty when the connection failed.
task<std::string> command(troupe::tcp_stream& s, std::vector<std::string> words) {
  std::string text;
  kv::reply::array(text, words.size());
  for (const std::string& w : words) kv::reply::bulk(text, w);
  std::string got;
  if (!co_await s.write_all(std::as_bytes(std::span(text)))) co_return got;
  while (kv::reply::first_length(got) == 0) {
    std::byte room[256];
    const auto n = co_await s.read_some(room);
    if (!n || *n == 0) co_return std::string();
    got.append(reinterpret_cast<const char*>(room), *n);
  }
  co_return got;
}

// Each write has its own key. The network may delay a write that its client has given up and deliver it after
// later ones, so a second attempt must not differ from the first.
std::string key_of(int client, int write) {
  return "key:" + std::to_string(client) + ":" + std::to_string(write);
}

// True when an acknowledged write is present; false when it is absent, or when no server answered.
task<bool> find(troupe::tcp_stream& s, int client, int write, client_notes& notes) {
  const std::vector<std::string> get = {"GET", key_of(client, write)};
  const std::string reply = co_await command(s, get);
  if (reply == kv::reply::null_bulk) notes.lost = key_of(client, write);
  co_return reply == "$5\r\nthere\r\n";
}

// Executes all writes, on one connection after the other, then checks each of them.
task<void> write_and_check(troupe::ip_endpoint server, int client, client_notes& notes) {
  while (notes.lost.empty() && notes.checked < writes) {
    co_await troupe::sleep_for(50ms);
    auto s = co_await troupe::tcp_stream::connect(server, 5s, {.read_deadline = 5s, .write_deadline = 5s});
    if (!s) continue;
    if (notes.acknowledged > 0) {
      const bool still_there = co_await find(*s, client, notes.acknowledged, notes);
      if (!still_there) continue;
    }
    while (notes.acknowledged < writes) {
      const std::vector<std::string> set = {"SET", key_of(client, notes.acknowledged + 1), "there"};
      const std::string reply = co_await command(*s, set);
      if (reply != kv::reply::ok) break;  // a shard crashed, or the connection failed: the outcome is unknown
      ++notes.acknowledged;
      co_await troupe::sleep_for(20ms);
    }
    while (notes.acknowledged == writes && notes.checked < writes) {
      const bool found = co_await find(*s, client, notes.checked + 1, notes);
      if (!found) break;
      ++notes.checked;
    }
  }
  notes.done = true;
}

struct world {
  explicit world(std::uint64_t seed)
      : rt({.seed = seed}), net(rt, links()), server(rt, net), client(net, "client") {}

  troupe::sim::network_options links() {
    const double loss = rt.random() % 2 == 0 ? static_cast<double>(rt.random() % 100) / 1000 : 0;
    const double reset = rt.random() % 3 == 0 ? static_cast<double>(rt.random() % 20) / 1000 : 0;
    return {.link = {.latency = duration(rt.random() % 10'000'000),
                     .jitter = duration(rt.random() % 10'000'000),
                     .loss = loss,
                     .reset = reset},
            .split = static_cast<double>(rt.random() % 1000) / 1000,
            .give_up = 60s};
  }

  bool all_done() const {
    return std::ranges::all_of(notes, [](const client_notes& n) { return n.done; });
  }

  std::vector<client_notes> notes{clients};
  troupe::sim::runtime rt;
  troupe::sim::network net;
  server_machine server;
  troupe::sim::host client;
};

void one_fault(world& w) {
  switch (w.rt.random() % 6) {
    case 0:
      return w.net.partition(w.server.host(), w.client);
    case 1:
      return w.net.partition_one_way(w.server.host(), w.client);
    case 2:
      return w.net.reset_connections(w.server.host(), w.client);
    case 3:
      return w.server.crash();
    default:
      return w.server.crash_a_shard();
  }
}

void run(std::uint64_t seed) {
  world w(seed);
  w.server.boot();
  for (int i = 0; i < clients; ++i) {
    w.client.spawn(write_and_check(w.server.host().endpoint(6379), i, w.notes[static_cast<std::size_t>(i)]));
  }
  for (int i = 0; i < 8; ++i) {
    w.rt.advance(duration(w.rt.random() % 300'000'000));
    one_fault(w);
    w.rt.advance(duration(w.rt.random() % 5'000'000'000));
    w.net.heal(w.server.host(), w.client);
    if (!w.server.is_up()) w.server.boot();
  }
  for (int i = 0; i < 600 && !w.all_done(); ++i) w.rt.advance(1s);
  for (const client_notes& n : w.notes) {
    INFO(n.lost);
    REQUIRE(n.done);
    REQUIRE(n.lost.empty());
    REQUIRE(n.checked == writes);
  }
  w.server.crash();
  REQUIRE(w.rt.run_to_end(1h));
  REQUIRE(w.net.open_sockets() == 0);
}

}  // namespace

TEST_CASE("kv on a simulated host: no fault of network, shard or power loses an acknowledged write") {
  troupe::testkit::for_each_seed(seeds, run);
}
