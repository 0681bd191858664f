// caf-bench: the cases of troupe-bench on CAF, with the same command line and the same output.
#include "engine.hpp"

#include <array>

int main(int argc, char** argv) {
  using bench::warm_up;
  static constexpr std::array<bench::bench_case, 11> cases{{
      {"ping_pong", "one message between two actors, one in flight", caf_bench::ping_pong},
      {"ring", "one hop; 1000 actors, 64 tokens", caf_bench::ring},
      {"fan_in", "one message; 4 senders, one receiver, unbounded mailbox", caf_bench::fan_in},
      {"big", "one message; 1000 actors ping random others", caf_bench::big},
      {"chameneos", "one meeting; 100 creatures, one mall", caf_bench::chameneos},
      {"ask_roundtrip", "a request and its reply", caf_bench::ask_roundtrip},
      {"spawn_kill", "create an actor, one message, it answers and ends", caf_bench::spawn_kill},
      {"skynet_1m", "the whole tree of 1000000 leaves", caf_bench::skynet_1m},
      {"idle_wake", "a foreign thread asks an idle system", caf_bench::idle_wake},
      {"mem_actor", "one actor that handled a message and waits", caf_bench::mem_actor, warm_up::none},
      {"idle_cpu", "3 s of 1000 idle actors", caf_bench::idle_cpu, warm_up::none},
  }};
  return bench::run_program("caf-bench", cases, argc, argv);
}
