// troupe-bench: runs one case on Troupe and prints its result as one line of JSON.
#include "cases.hpp"

#include <array>

int main(int argc, char** argv) {
  using bench::warm_up;
  static constexpr std::array<bench::bench_case, 16> cases{{
      {"ping_pong", "one message between two actors, one in flight", troupe_bench::ping_pong},
      {"ring", "one hop; 1000 actors, 64 tokens", troupe_bench::ring},
      {"fan_in", "one message; 4 senders wait for room in one receiver's mailbox", troupe_bench::fan_in},
      {"big", "one message; 1000 actors ping random others", troupe_bench::big},
      {"chameneos", "one meeting; 100 creatures, one mall", troupe_bench::chameneos},
      {"ask_roundtrip", "a request and its reply", troupe_bench::ask_roundtrip},
      {"spawn_kill", "create an actor, one message, it answers and ends", troupe_bench::spawn_kill},
      {"skynet_1m", "the whole tree of 1000000 leaves", troupe_bench::skynet_1m},
      {"idle_wake", "a foreign thread asks an idle system", troupe_bench::idle_wake},
      {"mem_actor", "one actor that handled a message and waits", troupe_bench::mem_actor, warm_up::none},
      {"idle_cpu", "3 s of 1000 idle actors", troupe_bench::idle_cpu, warm_up::none},
      {"many_live", "one message among 1000 live actors, and among 1000000", troupe_bench::many_live},
      {"mailboxes", "one mail through the one-word mailbox, and through a list of Vyukov's kind",
       troupe_bench::mailboxes},
      {"restart", "from a crash to the next incarnation's first message", troupe_bench::restart},
      {"stop_tree", "the end of a tree of 100000 actors", troupe_bench::stop_tree},
      {"fan_out", "200 jobs of 0.5 ms given out at once, after 1000000 small messages",
       troupe_bench::fan_out},
  }};
  return bench::run_program("troupe-bench", cases, argc, argv);
}
