// Requests: an actor asks two others in parallel. Every failure is a value: a reply that is late, an actor
// that has crashed, an actor that has ended.
//
//   troupe-ask
#include <troupe/actors.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

struct price_of {
  using reply = int;
  std::string item;
};
struct total_of {
  using reply = int;
  std::string first;
  std::string second;
};

/// Answers with a price after a while.
struct shop {
  using accepts = troupe::protocol<price_of>;
  explicit shop(troupe::duration d) : takes(d) {}
  troupe::task<int> handle(price_of m) {
    co_await troupe::sleep_for(takes);  // suspends the actor, not its thread
    if (m.item.empty()) throw std::invalid_argument("the item has no name");
    co_return static_cast<int>(m.item.size());
  }
  troupe::duration takes;
};

/// Asks two shops at once and adds up their prices.
struct customer {
  using accepts = troupe::protocol<total_of>;
  customer(troupe::ref<price_of> one, troupe::ref<price_of> other) : a(std::move(one)), b(std::move(other)) {}
  troupe::task<troupe::result<int>> handle(total_of m) {
    auto price_a = a.request(price_of{m.first}, 200ms);   // sent
    auto price_b = b.request(price_of{m.second}, 200ms);  // sent, too: both shops work now
    const troupe::result<int> first = co_await price_a;
    const troupe::result<int> second = co_await price_b;
    if (!first) co_return std::unexpected(first.error());
    if (!second) co_return std::unexpected(second.error());
    co_return *first + *second;
  }
  troupe::ref<price_of> a;
  troupe::ref<price_of> b;
};

int main() {
  troupe::system sys;
  const auto quick = sys.spawn<shop>({.name = "quick"}, 10ms);
  const auto slow = sys.spawn<shop>({.name = "slow"}, 10s);
  const auto show = [&sys](const char* what, auto&& asked) {
    const troupe::result<int> r = sys.block_on(std::move(asked));
    std::printf("%-22s %s\n", what, r ? std::to_string(*r).c_str() : r.error().to_string().c_str());
  };
  show("a price:", quick.ask(price_of{"bread"}));
  show("a late reply:", slow.ask(price_of{"bread"}, 50ms));
  show("a crash:", quick.ask(price_of{""}));
  // The supervisor restarts a crashed actor: the same ref reaches the new incarnation.
  show("the same actor again:", quick.ask(price_of{"milk"}));

  const auto c =
      sys.spawn<customer>({.name = "customer"}, troupe::ref<price_of>(quick), troupe::ref<price_of>(quick));
  show("two in parallel:", c.ask(total_of{"bread", "milk"}));
  sys.stop(quick);
  show("an actor that ended:", c.ask(total_of{"bread", "milk"}));
}
