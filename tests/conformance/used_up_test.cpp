// Children whose arguments cannot be copied, and other things that a specification may not ask for.
#include "cast.hpp"

using namespace conformance;

namespace {

/// Takes its number by a pointer that only it has.
struct unique_owner : member {
  unique_owner(troupe::context& ctx, std::unique_ptr<record*> h) : member(ctx, *h) {}
};

/// Takes a vector by rvalue only: it is made from a copy of the kept arguments.
struct collector : member {
  collector(troupe::context& ctx, std::vector<record*>&& h) : member(ctx, h.front()) { h.clear(); }
};

std::unique_ptr<record*> only(world& w) {
  return std::make_unique<record*>(&w.history);
}

}  // namespace

TEST_CASE("2 refused: a child that is to be restarted, with arguments that cannot be copied") {
  simulated(
      [](world& w) {
        for (const restart type : {restart::permanent, restart::transient}) {
          const auto wrong =
              w.sys.start(troupe::supervisor("app").child<unique_owner>("x", {.restart = type}, only(w)));
          REQUIRE_FALSE(wrong);
          REQUIRE(wrong.error() == errc::invalid_argument);
          const std::string text = wrong.error().to_string();
          INFO(text);
          REQUIRE(text.find("/app/x") != std::string::npos);
          REQUIRE(text.find("temporary") != std::string::npos);
        }
        const auto top = w.start(
            troupe::supervisor("app").child<unique_owner>("x", {.restart = restart::temporary}, only(w)));
        w.settle();
        REQUIRE(w.history.all() == lines{"+x"});
        REQUIRE(w.await(top.start_child<unique_owner>("y", {}, only(w))));
        const auto children = w.await(top.children());
        REQUIRE(children.value().back().restart == restart::temporary);
      },
      1);
}

TEST_CASE("11 a restarted supervisor starts without the children whose arguments are used up") {
  everywhere(
      [](world& w) {
        const auto top = w.start(troupe::supervisor("app").child(
            troupe::supervisor("in", {.restarts = {0, 1h}})
                .child<member>("a", {}, &w.history)
                .child<unique_owner>("x", {.restart = restart::temporary}, only(w))
                .child<member>("b", {}, &w.history)));
        crash(w, "/app/in/a");
        REQUIRE(w.eventually([&] { return w.history.count("+b") == 2; }));
        w.settle();
        REQUIRE(w.history.count("+a") == 2);
        REQUIRE(w.history.count("+x") == 1);
        REQUIRE(w.ids(*w.sys.supervisor_at("/app/in")) == lines{"a", "b"});
        REQUIRE_FALSE(top.ended());
      },
      50);
}

TEST_CASE("1 restart: an actor that takes its arguments by rvalue only is made from copies") {
  everywhere(
      [](world& w) {
        const auto top =
            w.start(troupe::supervisor("app").child<collector>("c", {}, std::vector<record*>{&w.history}));
        for (int i = 0; i < 2; ++i) crash_and_wait(w, "/app/c");
        REQUIRE(w.history.count("+c") == 3);
        REQUIRE_FALSE(top.ended());
      },
      50);
}

TEST_CASE("17 dynamic: options that its children cannot have are refused") {
  simulated(
      [](world& w) {
        const auto top = w.start(troupe::supervisor(
            "app", {.strategy = troupe::dynamic, .auto_shutdown = troupe::auto_shutdown::any_significant}));
        const auto significant = w.await(
            top.start_child<member>("a", {.restart = restart::transient, .significant = true}, &w.history));
        REQUIRE(significant.error() == errc::invalid_argument);
        const auto budget =
            w.await(top.start_child<member>("a", {.budget = troupe::restart_budget{1, 1h}}, &w.history));
        REQUIRE(budget.error() == errc::invalid_argument);
        REQUIRE(w.history.all().empty());
      },
      1);
}

TEST_CASE("17 dynamic: a constructor's exception is the cause of the failed start") {
  struct picky {
    using accepts = troupe::protocol<nap>;
    picky() {
      throw troupe::troupe_error(troupe::error(make_error_code(errc::name_taken), "its own affair"));
    }
    void handle(nap) {}
  };
  simulated(
      [](world& w) {
        for (const auto strategy : {troupe::dynamic, troupe::one_for_one}) {
          const auto top =
              w.start(troupe::supervisor(strategy == troupe::dynamic ? "d" : "s", {.strategy = strategy}));
          const auto begun = w.await(top.start_child<picky>("x"));
          REQUIRE(begun.error() == errc::start_failed);
          INFO(begun.error().to_string());
          REQUIRE(begun.error().to_string().find("its own affair") != std::string::npos);
          REQUIRE(w.await(top.start_child<member>("y", {}, &w.history)));
          REQUIRE(w.await(top.start_child<member>("y", {}, &w.history)).error() == errc::already_running);
        }
      },
      1);
}
