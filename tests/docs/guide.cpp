// The code of docs/guide.md, first half: actors, messages, errors, coroutines, supervision.
// scripts/check_docs compares each region with its fence. The actors run on the simulated runtime.
#include "support/catch.hpp"

#include <troupe/actors.hpp>
#include <troupe/actors/inspect.hpp>
#include <troupe/actors/testkit.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {

using troupe::testkit::test_system;

// -- the first actor ---------------------------------------------------------------------------

// [messages]
struct deposit {
  int cents;
};
struct withdraw {
  using reply = int;  // what is left
  int cents;
};
struct balance {
  using reply = int;
};
// [/messages]

// [first_actor]
struct account {
  using accepts = troupe::protocol<deposit, withdraw, balance>;

  void handle(deposit m) { cents += m.cents; }
  int handle(withdraw m) {
    if (m.cents > cents) throw std::runtime_error("the account has " + std::to_string(cents) + " cents");
    return cents -= m.cents;
  }
  int handle(balance) const { return cents; }

  int cents = 0;
};
// [/first_actor]

TEST_CASE("guide: an actor is spawned, told and asked") {
  // [first_system]
  troupe::system sys({.name = "bank"});
  const troupe::ref<deposit, withdraw, balance> savings = sys.spawn<account>({.name = "savings"});
  const troupe::send_result sent = savings.tell(deposit{100});            // returns at once
  const troupe::result<int> left = sys.block_on(savings.ask(balance{}));  // blocks this thread only
  // [/first_system]
  CHECK(sent == troupe::send_result::ok);
  CHECK(left.value() == 100);
}

// -- tell and backpressure ---------------------------------------------------------------------

TEST_CASE("guide: tell() to a full mailbox is refused, and the sender decides") {
  test_system b;
  int shed = 0;
  bool gone = false;
  const auto savings = b.sys.spawn<account>({.name = "savings", .mailbox = {.capacity = 2}});
  const auto pay = [&] {
    // [tell]
    switch (savings.tell(deposit{1})) {
      case troupe::send_result::ok:
        break;
      case troupe::send_result::full:  // the receiver is behind: drop the message, delay it, or refuse work
        ++shed;
        break;
      case troupe::send_result::closed:  // the receiver has ended for good
        gone = true;
        break;
    }
    // [/tell]
  };
  for (int i = 0; i < 3; ++i) pay();
  CHECK(shed == 1);
  CHECK_FALSE(gone);
}

// [send]
struct import_file {
  int entries;
};

struct importer {
  using accepts = troupe::protocol<import_file>;
  explicit importer(troupe::ref<deposit> r) : to(std::move(r)) {}

  troupe::task<void> handle(import_file m) {
    for (int i = 0; i < m.entries; ++i) {
      const troupe::result<void> sent = co_await to.send(deposit{1}, 10s);  // waits for room
      if (!sent) throw troupe::troupe_error(sent.error());                  // timeout, closed, would_deadlock
    }
  }

  troupe::ref<deposit> to;
};
// [/send]

TEST_CASE("guide: send() waits for room, so a fast producer is slowed down and nothing is lost") {
  test_system b;
  const auto savings = b.sys.spawn<account>({.mailbox = {.capacity = 2}});
  const auto files = b.sys.spawn<importer>({}, savings);
  REQUIRE(files.tell(import_file{100}) == troupe::send_result::ok);
  b.run();
  CHECK(b.await(savings.ask(balance{})).value() == 100);
}

// [policy]
struct price {
  std::string symbol;
  int cents;
};

struct display {
  using accepts = troupe::protocol<price>;
  explicit display(std::vector<std::string>* s) : shown(s) {}
  void handle(const price& p) const { shown->push_back(p.symbol + " " + std::to_string(p.cents)); }
  std::vector<std::string>* shown;
};

// Of several prices of one symbol that wait, the display gets the last only.
constexpr troupe::mailbox_options latest_price{.capacity = 100, .policy = troupe::coalesce<&price::symbol>};
// [/policy]

TEST_CASE("guide: a mailbox that coalesces keeps the last message of each key") {
  test_system b;
  std::vector<std::string> shown;
  const auto d = b.sys.spawn<display>({.mailbox = latest_price}, &shown);
  for (const int cents : {1, 2, 3}) REQUIRE(d.tell(price{"ACME", cents}) == troupe::send_result::ok);
  b.run();
  CHECK(shown == std::vector<std::string>{"ACME 3"});
}

// -- ask and errors ----------------------------------------------------------------------------

// [request]
struct total {
  using reply = int;
};

struct teller {
  using accepts = troupe::protocol<total>;
  teller(troupe::ref<balance> a, troupe::ref<balance> b) : first(std::move(a)), second(std::move(b)) {}

  troupe::task<troupe::result<int>> handle(total) {
    auto a = first.request(balance{}, 200ms);   // on its way
    auto b = second.request(balance{}, 200ms);  // so is this one
    const troupe::result<int> x = co_await a;
    const troupe::result<int> y = co_await b;
    if (!x) co_return std::unexpected(x.error());
    if (!y) co_return std::unexpected(y.error());
    co_return *x + *y;
  }

  troupe::ref<balance> first;
  troupe::ref<balance> second;
};
// [/request]

// [errors]
std::string answer(const troupe::result<int>& left) {
  if (left) return "left: " + std::to_string(*left);
  if (left.error() == troupe::errc::timeout || left.error() == troupe::errc::full) return "try again later";
  return left.error().to_string();  // path, text and the chain of causes, in one line
}
// [/errors]

TEST_CASE("guide: two requests are out at a time, and an error is a value with its causes") {
  test_system b;
  const auto savings = b.sys.spawn<account>({.name = "savings"});
  const auto wages = b.sys.spawn<account>({.name = "wages"});
  REQUIRE(savings.tell(deposit{30}) == troupe::send_result::ok);
  REQUIRE(wages.tell(deposit{12}) == troupe::send_result::ok);
  const auto clerk = b.sys.spawn<teller>({}, savings, wages);
  CHECK(b.await(clerk.ask(total{})).value() == 42);
  CHECK(answer(b.await(savings.ask(withdraw{10}))) == "left: 20");
  const std::string refused = answer(b.await(savings.ask(withdraw{500})));
  CHECK_THAT(refused, Catch::Contains("/savings") && Catch::Contains("the account has 20 cents"));
  CHECK(answer(std::unexpected(troupe::error(troupe::errc::timeout))) == "try again later");
}

// -- coroutines and timers ---------------------------------------------------------------------

// [timers]
struct entry {
  int number;
};
struct flush {};

struct journal {
  using accepts = troupe::protocol<entry, flush>;
  explicit journal(troupe::ref<int> disk) : to(std::move(disk)) {}

  void started(troupe::context& ctx) { ctx.every(100ms, flush{}); }
  void handle(entry e) { pending.push_back(e.number); }
  troupe::task<void> handle(flush) {
    const std::vector<int> batch = std::exchange(pending, {});
    for (const int number : batch) {
      const troupe::result<void> written = co_await to.send(number);  // the next message waits meanwhile
      if (!written) throw troupe::troupe_error(written.error());
    }
  }

  troupe::ref<int> to;
  std::vector<int> pending;
};
// [/timers]

TEST_CASE("guide: a timer is a message to the actor itself, in virtual time in a test") {
  test_system b;
  troupe::testkit::probe<int> disk(b.sys);
  const auto j = b.sys.spawn<journal>({}, disk.ref());
  REQUIRE(j.tell(entry{7}) == troupe::send_result::ok);
  disk.expect_nothing();
  b.advance(100ms);
  CHECK(disk.expect<int>() == 7);
}

// [coroutine_actor]
struct login {
  std::string user;
};
struct command {
  using reply = std::string;
  std::string text;
};

troupe::task<void> session(troupe::context&, troupe::inbox<login, command> in) {
  const auto first = co_await in.receive_for(10s);
  if (!first || !std::holds_alternative<login>(*first)) co_return;  // returning ends the actor
  const std::string user = std::get<login>(*first).user;
  for (;;) {
    auto next = co_await in.receive();
    if (auto* const asked = std::get_if<troupe::request<command>>(&next)) {
      asked->reply.send(user + ": " + asked->message.text);
    }
  }
}
// [/coroutine_actor]

TEST_CASE("guide: a protocol in steps is a coroutine actor") {
  test_system b;
  const auto s = b.sys.spawn(session, {.name = "session"});
  REQUIRE(s.tell(login{"ada"}) == troupe::send_result::ok);
  CHECK(b.await(s.ask(command{"hello"})).value() == "ada: hello");
  const auto silent = b.sys.spawn(session, {.name = "silent"});
  b.advance(10s);
  CHECK(silent.ended());
}

// -- supervision -------------------------------------------------------------------------------

// [tree]
struct ledger {
  using accepts = troupe::protocol<entry>;
  void handle(entry) {}
};

troupe::supervisor bank() {
  return troupe::supervisor("bank", {.restarts = {.max = 5, .within = 10s}})
      .child<ledger>("ledger", {.backoff = {.initial = 10ms, .max = 1s}})
      .child(troupe::supervisor("accounts", {.strategy = troupe::dynamic, .max_children = 10'000}));
}
// [/tree]

TEST_CASE("guide: a crashed child is restarted behind the same ref, after its backoff") {
  test_system b;
  REQUIRE(b.sys.start(bank()));
  const auto l = b.sys.at<entry>("/bank/ledger").value();
  b.crash(l);
  b.run();
  CHECK_FALSE(l.ended());
  CHECK(l.tell(entry{1}) == troupe::send_result::ok);  // waits for the next incarnation
  b.advance(1s);
  CHECK(b.log.count("/bank/ledger") > 0);
}

// [open_account]
troupe::task<troupe::result<troupe::ref_of<account>>> open_account(troupe::system& sys, std::string number) {
  troupe::result<troupe::supervisor_ref> accounts = sys.supervisor_at("/bank/accounts");
  if (!accounts) co_return std::unexpected(accounts.error());
  const troupe::child_options options{.restart = troupe::restart::transient};
  co_return co_await accounts->start_child<account>(std::move(number), options);
}
// [/open_account]

// [watch]
struct observe {
  troupe::any_ref actor;
};

struct auditor {
  using accepts = troupe::protocol<observe>;
  explicit auditor(std::vector<std::string>* l) : lines(l) {}

  void handle(const observe& m, troupe::context& ctx) { ctx.watch(m.actor); }
  void handle(const troupe::down& d) const { lines->push_back(d.who.path() + ": " + d.reason.to_string()); }

  std::vector<std::string>* lines;
};
// [/watch]

// [named_ref]
struct cashier {
  using accepts = troupe::protocol<entry>;
  explicit cashier(troupe::context& ctx) : ledger(ctx.system(), "/bank/ledger") {}

  void handle(entry e, troupe::context& ctx) {
    if (ledger.tell(e) != troupe::send_result::ok)
      ctx.log(troupe::log_level::warning, "an entry was refused");
  }

  troupe::named_ref<entry> ledger;  // finds the next ledger when this one has ended
};
// [/named_ref]

TEST_CASE("guide: children of a dynamic supervisor come and go, and a watcher is notified of the end") {
  test_system b;
  REQUIRE(b.sys.start(bank()));
  const auto seven = b.await(open_account(b.sys, "7")).value();
  CHECK(seven.path() == "/bank/accounts/7");
  std::vector<std::string> lines;
  const auto a = b.sys.spawn<auditor>({}, &lines);
  REQUIRE(a.tell(observe{seven}) == troupe::send_result::ok);
  b.run();
  b.sys.stop(seven);
  b.run();
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Catch::StartsWith("/bank/accounts/7: "));
}

TEST_CASE("guide: an actor that is addressed by its path is found again when it was replaced") {
  test_system b;
  const auto t = b.sys.spawn<cashier>();
  REQUIRE(t.tell(entry{}) == troupe::send_result::ok);
  b.run();
  CHECK(b.log.count("an entry was refused") == 1);
  const auto bank_ref = b.sys.start(bank());
  REQUIRE(bank_ref);
  REQUIRE(t.tell(entry{}) == troupe::send_result::ok);
  b.run();
  REQUIRE(b.await(bank_ref->stop_child("ledger")));
  REQUIRE(b.await(bank_ref->restart_child("ledger")));
  REQUIRE(t.tell(entry{}) == troupe::send_result::ok);
  b.run();
  CHECK(b.log.count("an entry was refused") == 1);
}

}  // namespace
