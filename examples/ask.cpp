// Requests: one actor asks two others side by side, and whatever can go wrong comes back as a value: a reply
// that is late, an actor that crashed, one that has ended.
#include <troupe/actors.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

struct price_of {
  using reply = int;
  std::string ware;
};
struct total_of {
  using reply = int;
  std::string first;
  std::string second;
};

struct shop {
  using accepts = troupe::protocol<price_of>;
  explicit shop(troupe::duration d) : takes(d) {}
  troupe::task<int> handle(price_of m) {
    co_await troupe::sleep_for(takes);  // the actor waits, its thread does not
    if (m.ware.empty()) throw std::invalid_argument("a ware needs a name");
    co_return static_cast<int>(m.ware.size());
  }
  troupe::duration takes;
};

struct customer {
  using accepts = troupe::protocol<total_of>;
  customer(troupe::ref<price_of> here, troupe::ref<price_of> there)
      : near(std::move(here)), far(std::move(there)) {}
  troupe::task<troupe::result<int>> handle(total_of m) {
    auto a = near.request(price_of{m.first}, 200ms);  // on its way
    auto b = far.request(price_of{m.second}, 200ms);  // so is this one
    const troupe::result<int> first = co_await a;
    const troupe::result<int> second = co_await b;
    if (!first) co_return std::unexpected(first.error());
    if (!second) co_return std::unexpected(second.error());
    co_return *first + *second;
  }
  troupe::ref<price_of> near;
  troupe::ref<price_of> far;
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
  show("a reply that is late:", slow.ask(price_of{"bread"}, 50ms));
  show("a crash:", quick.ask(price_of{""}));
  show("the same actor again:", quick.ask(price_of{"milk"}));

  const auto c =
      sys.spawn<customer>({.name = "customer"}, troupe::ref<price_of>(quick), troupe::ref<price_of>(quick));
  show("two side by side:", c.ask(total_of{"bread", "milk"}));
  sys.stop(quick);
  show("an actor that ended:", c.ask(total_of{"bread", "milk"}));
}
