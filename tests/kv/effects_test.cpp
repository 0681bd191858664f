// Replaying the effects of commands rebuilds the store, without the commands and without a clock.
#include "kv/commands.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <map>

namespace {

/// Applies effects to a second store, as a replay does.
struct follower final : kv::effect_sink {
  kv::store data;
  void record(const kv::effect& e) override { data.apply(e); }
};

std::map<std::string, std::pair<std::string, kv::unix_ms>> live(kv::store& store, kv::unix_ms now) {
  std::map<std::string, std::pair<std::string, kv::unix_ms>> all;
  store.scan(0, static_cast<std::size_t>(-1), now,
             [&](const kv::entry& e) { all[std::string(e.key())] = {std::string(e.value()), e.expires_at}; });
  return all;
}

}  // namespace

TEST_CASE("effects: replaying them gives the same live keys, values and expiries at any time") {
  CHECK(rc::check("any sequence of commands", [] {
    using line = std::vector<std::string_view>;
    const std::vector<line> choices = {{"set", "a", "1"},
                                       {"set", "a", "1", "px", "5"},
                                       {"set", "a", "2", "keepttl"},
                                       {"setnx", "a", "3"},
                                       {"getset", "a", "4"},
                                       {"mset", "a", "5", "b", "6"},
                                       {"del", "a", "b"},
                                       {"incr", "a"},
                                       {"decrby", "b", "7"},
                                       {"append", "a", "8"},
                                       {"append", "a", ""},
                                       {"pexpire", "a", "5"},
                                       {"pexpire", "a", "-5"},
                                       {"expire", "b", "1", "nx"},
                                       {"persist", "a"},
                                       {"get", "a"},
                                       {"flushall"}};
    kv::store store;
    follower copy;
    kv::unix_ms now = 100;
    for (int step = *rc::gen::inRange(0, 60); step > 0; --step) {
      now += *rc::gen::element(0, 0, 1, 3, 6);
      const line args = *rc::gen::elementOf(choices);
      kv::shard_context shard{.data = store, .now = now, .effects = &copy};
      std::string reply;
      const kv::command* spec = kv::check_command(args, reply);
      RC_ASSERT(spec != nullptr);
      spec->in_shard(shard, args, reply);
      RC_ASSERT(live(store, now) == live(copy.data, now));
    }
  }));
}
