// The pauses before restarts. In virtual time only: they are exact there.
#include "cast.hpp"

using namespace conformance;

namespace {

/// Crashes the member at `path` and tells how long it takes until the next incarnation runs.
troupe::duration pause_of(world& w, std::string_view path) {
  const auto began = w.now();
  crash_and_wait(w, path);
  return w.now() - began;
}

}  // namespace

TEST_CASE("22 backoff: doubles from initial up to max") {
  simulated([](world& w) {
    (void)w.start(troupe::supervisor("app", {.restarts = {100, 1h}})
                      .child<member>("a", {.backoff = {100ms, 500ms, 0}}, &w.history));
    for (const auto expected : {100ms, 200ms, 400ms, 500ms, 500ms, 500ms}) {
      REQUIRE(pause_of(w, "/app/a") == expected);
    }
  });
}

TEST_CASE(
    "22 backoff: starts over after the child has been up for (first + most) / 2, not a moment earlier") {
  simulated([](world& w) {
    (void)w.start(troupe::supervisor("app", {.restarts = {100, 1h}})
                      .child<member>("a", {.backoff = {100ms, 500ms, 0}}, &w.history));
    REQUIRE(pause_of(w, "/app/a") == 100ms);
    REQUIRE(pause_of(w, "/app/a") == 200ms);
    w.pass(300ms - 1ns);
    REQUIRE(pause_of(w, "/app/a") == 400ms);
    w.pass(300ms);
    REQUIRE(pause_of(w, "/app/a") == 100ms);
    REQUIRE(pause_of(w, "/app/a") == 200ms);
  });
}

TEST_CASE("22 backoff: jitter subtracts at most its share, and the pause never exceeds max") {
  simulated([](world& w) {
    (void)w.start(troupe::supervisor("app", {.restarts = {100, 1h}})
                      .child<member>("a", {.backoff = {100ms, 500ms, 0.5}}, &w.history));
    for (const auto whole : {100ms, 200ms, 400ms, 500ms, 500ms}) {
      const auto pause = pause_of(w, "/app/a");
      REQUIRE(pause >= whole / 2);
      REQUIRE(pause <= whole);
    }
  });
}

TEST_CASE("22 backoff: a supervisor's is its own, whatever its children's are") {
  simulated([](world& w) {
    (void)w.start(troupe::supervisor("app", {.restarts = {100, 1h}})
                      .child<member>("a", {.backoff = {100ms, 500ms, 0}}, &w.history)
                      .child(troupe::supervisor("in", {.restarts = {2, 1h}, .backoff = {1s, 8s, 0}})
                                 .child<member>("b", {.backoff = {10ms, 80ms, 0}}, &w.history)));
    REQUIRE(pause_of(w, "/app/in/b") == 10ms);
    REQUIRE(pause_of(w, "/app/a") == 100ms);
    REQUIRE(pause_of(w, "/app/in/b") == 10ms);  // it has been quiet for 100 ms
    const auto began = w.now();
    crash(w, "/app/in/b");  // the third: the supervisor gives up
    REQUIRE(w.eventually([&] { return w.epoch("/app/in") == 1 && w.epoch("/app/in/b") == 0; }));
    REQUIRE(w.now() - began == 1s);
    REQUIRE(pause_of(w, "/app/a") == 100ms);  // quiet for longer than its (initial + max) / 2
    REQUIRE(pause_of(w, "/app/in/b") == 10ms);
    REQUIRE(pause_of(w, "/app/in/b") == 20ms);
  });
}
