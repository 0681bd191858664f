// troupe-supervision: shows supervision trees while their actors fail. Each scenario ends by itself and
// checks its outcome.
//
// Exit status: 0 OK; 1 FAILED, and the last line gives the cause; 2 the options are wrong.
#include "supervision/scenario.hpp"
#include "supervision/view.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

struct entry {
  const char* name;
  const char* sentence;
  demo::findings (*run)(demo::view&);
};

constexpr std::array<entry, 8> scenarios{{
    {"one_for_one", "One of three children crashes; only that one is restarted.", demo::one_for_one},
    {"one_for_all", "One of three children crashes; all stop in reverse and start in order.",
     demo::one_for_all},
    {"rest_for_one", "The second of three crashes; it and the one after it are restarted.",
     demo::rest_for_one},
    {"escalation", "A child crashes too often: its supervisor gives up, and is restarted by its parent.",
     demo::escalation},
    {"backoff", "A child that crashes repeatedly waits longer before each restart.", demo::backoff},
    {"wedged", "A handler never returns: its actor is quarantined, replaced, and named at shutdown.",
     demo::wedged},
    {"shutdown", "A tree of three levels stops in reverse, within its deadline, and drains its queues.",
     demo::shutdown},
    {"deadlock", "Two actors ask each other: the ask that would close the cycle fails at once.",
     demo::deadlock},
}};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("troupe-supervision: shows supervision trees while their actors fail", "troupe-supervision");
  std::string wanted;
  bool plain = false;
  app.add_option("--scenario", wanted, "The scenario to run; without it they are listed")
      ->check([](const std::string& name) {
        return std::ranges::any_of(scenarios, [&](const entry& e) { return name == e.name; })
                   ? std::string()
                   : "there is no scenario '" + name + "'; run without options for a list";
      });
  app.add_flag("--plain", plain, "Print lines instead of a picture, on a terminal too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (wanted.empty()) {
    for (const entry& e : scenarios) std::printf("%-14s %s\n", e.name, e.sentence);
    return 0;
  }
  const auto& chosen = *std::ranges::find(scenarios, wanted, &entry::name);
  demo::findings found;
  try {
    demo::view view(wanted + ": " + chosen.sentence, !plain && ::isatty(STDOUT_FILENO) == 1);
    found = chosen.run(view);
  } catch (const std::exception& e) {
    found.expect(false, e.what());
  }
  std::printf("supervision: %s %s%s\n", found.ok() ? "OK" : "FAILED", wanted.c_str(),
              found.to_string().c_str());
  return found.ok() ? 0 : 1;
}
