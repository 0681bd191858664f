// Trees of many levels: no operation on them recurses, or costs more than linear time.
#include "actors/common.hpp"
#include "support/sanitized.hpp"

#include <thread>

using namespace actors_test;

namespace {

constexpr int levels = troupe_test::sanitized ? 10'000 : 100'000;

struct ping {};

/// Has one child below it, and so on.
struct link_of_chain {
  using accepts = troupe::protocol<ping>;
  link_of_chain(int n, troupe::any_ref* d) : left(n), deepest(d) {}
  void started(troupe::context& ctx) {
    if (left > 0) {
      ctx.spawn<link_of_chain>({.name = left % 2 == 0 ? "n" : ""}, left - 1, deepest);
    } else {
      *deepest = ctx.self<link_of_chain>();
    }
  }
  void handle(ping) {}
  int left;
  troupe::any_ref* deepest;
};

}  // namespace

TEST_CASE("deep trees: 100 000 levels are spawned, told, inspected, stopped and freed") {
  const troupe::testkit::leak_guard memory;
  {
    troupe::any_ref deepest;
    {
      test_system b;
      b.sys.spawn<link_of_chain>({.shutdown = 1h}, levels - 1, &deepest);
      b.run();
      REQUIRE(deepest);
      const std::string path = deepest.path();
      CHECK(path.starts_with("/~0/~0/n/~0/n/"));
      CHECK(std::ranges::count(path, '/') == levels);
      CHECK((b.sys.at<ping>(path).value() == deepest));
      troupe::actor_info tree = b.sys.inspect();
      CHECK(tree.count() == levels + 1);
      const troupe::actor_info copy = tree;
      tree = {};
      CHECK(copy.count() == levels + 1);
      const std::string text = troupe::to_text(copy);
      CHECK(std::ranges::count(text, '\n') == 102);
      CHECK(text.find("and " + std::to_string(levels - 100) + " below") != std::string::npos);
      CHECK(b.sys.shutdown());
    }
    CHECK(std::ranges::count(deepest.path(), '/') == levels);  // it keeps all above it
  }
  memory.verify();
}

TEST_CASE("deep trees: inspect tells whole paths, and the end of those that are too long to tell") {
  test_system b;
  troupe::any_ref deepest;
  b.sys.spawn<link_of_chain>({.name = "top"}, 999, &deepest);
  b.run();
  const troupe::actor_info tree = b.sys.inspect();
  const troupe::actor_info* a = &tree.children.at(0);
  CHECK(a->path == "/top");
  for (int i = 0; i < 3; ++i) a = &a->children.at(0);
  CHECK(a->path == "/top/~0/n/~0");
  while (!a->children.empty()) a = &a->children.at(0);
  CHECK(a->path.size() == troupe::actor_info::longest_path);
  CHECK(a->path.starts_with("..."));
  CHECK(deepest.path().ends_with(a->path.substr(3)));
}

TEST_CASE("deep trees: on threads, inspected while they come up and go") {
  troupe::system sys({.workers = 2});
  std::thread looker([&] {
    for (int i = 0; i < 50; ++i) (void)troupe::to_text(sys.inspect());
  });
  for (int i = 0; i < 20; ++i) {
    troupe::any_ref deepest;
    const auto top = sys.spawn<link_of_chain>({}, 200, &deepest);
    std::this_thread::sleep_for(1ms);
    sys.stop(top);
    while (!top.ended()) std::this_thread::yield();
  }
  looker.join();
}
