// Supervisors that end by themselves because of their significant children.
#include "cast.hpp"

using namespace conformance;
using troupe::auto_shutdown;
using child_state = troupe::child_state;

namespace {

/// A supervisor with two significant children, x and y, and one that is not, z.
troupe::supervisor trio(world& w, std::string name, auto_shutdown mode, restart type) {
  return troupe::supervisor(std::move(name),
                            {.restarts = {100, 1h}, .auto_shutdown = mode, .restart = restart::transient})
      .child<member>("x", {.restart = type, .significant = true}, &w.history)
      .child<member>("y", {.restart = type, .significant = true}, &w.history)
      .child<member>("z", {.restart = restart::temporary}, &w.history);
}

}  // namespace

TEST_CASE("16 significance: any or all x normal, kill, by hand") {
  struct variant {
    auto_shutdown mode;
    restart type;
    const char* end;
    bool ends_after_x;
    bool ends_after_y;
  };
  constexpr auto any = auto_shutdown::any_significant;
  constexpr auto all = auto_shutdown::all_significant;
  const variant variants[] = {
      {any, restart::transient, "normal", true, true},  {any, restart::temporary, "normal", true, true},
      {any, restart::transient, "kill", false, false},  {any, restart::temporary, "kill", true, true},
      {any, restart::transient, "hand", false, false},  {any, restart::temporary, "hand", false, false},
      {all, restart::transient, "normal", false, true}, {all, restart::temporary, "normal", false, true},
      {all, restart::transient, "kill", false, false},  {all, restart::temporary, "kill", false, true},
      {all, restart::transient, "hand", false, false},  {all, restart::temporary, "hand", false, false},
  };
  everywhere([&](world& w) {
    troupe::supervisor tree("app");
    for (std::size_t i = 0; i < std::size(variants); ++i) {
      tree = std::move(tree).child(trio(w, "s" + std::to_string(i), variants[i].mode, variants[i].type));
    }
    const auto top = w.start(tree);
    for (std::size_t i = 0; i < std::size(variants); ++i) {
      const variant& v = variants[i];
      const std::string id = "s" + std::to_string(i);
      const std::string path = "/app/" + id;
      INFO(path << " " << v.end);
      const auto s = w.sys.supervisor_at(path).value();
      const auto end = [&](const char* who, bool supervisor_ends) {
        const auto m = member_at(w, path + "/" + who);
        if (v.end == std::string("normal")) w.tell(m, leave{});
        if (v.end == std::string("kill")) w.sys.kill(m);
        if (v.end == std::string("hand")) REQUIRE(w.await(s.stop_child(who)));
        if (supervisor_ends) {
          REQUIRE(w.eventually([&] { return s.ended(); }));
        } else {
          const bool back = v.end == std::string("kill") && v.type == restart::transient;
          REQUIRE(w.eventually([&] {
            return back ? w.epoch(path + "/" + who) == 1
                        : w.state(s, who).value_or(child_state::not_running) == child_state::not_running;
          }));
          w.settle();
          REQUIRE_FALSE(s.ended());
        }
      };
      w.tell(member_at(w, path + "/z"), leave{});  // that one is not significant
      REQUIRE(w.eventually([&] { return !w.look(path + "/z"); }));
      REQUIRE_FALSE(s.ended());
      end("x", v.ends_after_x);
      if (!v.ends_after_x) end("y", v.ends_after_y);
      w.settle();
      // As shutdown, after which a transient child is not restarted.
      REQUIRE(w.eventually(
          [&] { return w.state(top, id) == (s.ended() ? child_state::not_running : child_state::running); }));
    }
  });
}

TEST_CASE("16 significance: nested: a supervisor that ends this way is itself significant for the next") {
  everywhere([](world& w) {
    probe<> p(w.sys);
    const auto top =
        w.start(troupe::supervisor("app", {.auto_shutdown = auto_shutdown::any_significant})
                    .child<member>("other", {}, &w.history)
                    .child(troupe::supervisor("in", {.auto_shutdown = auto_shutdown::all_significant,
                                                     .restart = restart::transient,
                                                     .significant = true})
                               .child<member>("x", {.restart = restart::transient, .significant = true},
                                              &w.history)));
    p.watch(top);
    w.settle();
    w.tell(member_at(w, "/app/in/x"), leave{});
    REQUIRE(p.expect<troupe::down>().reason.kind() == exit_kind::shutdown);
    REQUIRE(w.history.all() == lines{"+other", "+x", "-x", "-other"});
  });
}
