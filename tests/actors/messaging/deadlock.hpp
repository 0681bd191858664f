// Actors that wait for one another, for the tests of deadlock detection.
#pragma once

#include "actors/common.hpp"

namespace actors_test {

using troupe::errc;

struct outcome {
  std::string who;
  errc code;
  std::string text;
};

struct question;
using asked = troupe::ref<question>;

/// Goes along the list of actors, each asking the next one; the last one does not ask.
struct question {
  using reply = int;
  std::shared_ptr<std::vector<asked>> route;
  std::size_t at = 0;
  troupe::duration deadline = 5s;
  troupe::duration sleep = {};
};

inline errc code_of(const troupe::error& e) {
  return static_cast<errc>(e.code().value());
}

/// Asks the next one on the route, and reports how that went. Yields the number of those asked.
struct relay {
  using accepts = troupe::protocol<question>;
  explicit relay(troupe::ref<outcome> r) : report(std::move(r)) {}
  troupe::task<int> handle(question q, troupe::context& ctx) {
    if (q.sleep > troupe::duration{}) co_await troupe::sleep_for(q.sleep);
    if (q.at == q.route->size()) co_return 0;
    const asked next = (*q.route)[q.at++];
    const auto r = co_await next.ask(q, q.deadline);
    if (!r) {
      (void)report.tell(outcome{ctx.path(), code_of(r.error()), std::string(r.error().text())});
      co_return 100;
    }
    (void)report.tell(outcome{ctx.path(), errc{}, {}});
    co_return *r + 1;
  }
  troupe::ref<outcome> report;
};

inline std::shared_ptr<std::vector<asked>> route_of(std::vector<asked> v) {
  return std::make_shared<std::vector<asked>>(std::move(v));
}

/// A script that an actor runs on being told to.
struct play {
  std::function<troupe::task<void>(troupe::context&)> body;
};
struct ping {
  using reply = int;
};

/// Runs scripts, and answers pings.
struct player {
  using accepts = troupe::protocol<play, ping>;
  troupe::task<void> handle(play p, troupe::context& ctx) { co_await p.body(ctx); }
  int handle(ping) { return 1; }
};
using stage = troupe::ref<play, ping>;

/// Waits a while, sends a ping with the verb, and reports.
template <class To>
play asks(To to, troupe::duration after, troupe::ref<outcome> report, troupe::duration deadline = 5s) {
  return {[=](troupe::context& ctx) -> troupe::task<void> {
    co_await troupe::sleep_for(after);
    const auto r = co_await to.ask(ping{}, deadline);
    outcome o{ctx.path(), errc{}, {}};
    if (!r) o = {ctx.path(), code_of(r.error()), std::string(r.error().text())};
    (void)report.tell(o);
  }};
}
inline play sends(stage to, troupe::duration after, troupe::ref<outcome> report,
                  troupe::duration deadline = 5s) {
  return {[=](troupe::context& ctx) -> troupe::task<void> {
    co_await troupe::sleep_for(after);
    const auto r = co_await to.send(ping{}, deadline);
    outcome o{ctx.path(), errc{}, {}};
    if (!r) o = {ctx.path(), code_of(r.error()), std::string(r.error().text())};
    (void)report.tell(o);
  }};
}

constexpr troupe::spawn_options named(const char* name, std::uint32_t capacity = 1024) {
  return {.name = name, .mailbox = {.capacity = capacity}};
}

}  // namespace actors_test
