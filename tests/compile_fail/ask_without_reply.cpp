// expect: this message has no reply
// expect(clang): no type named 'reply' in 'deposit'
// expect(gcc): no type named .reply. in .struct deposit.
#include <troupe/actors.hpp>

struct deposit {};
struct balance {
  using reply = int;
};

auto query(const troupe::ref<deposit, balance>& account) {
#ifdef TROUPE_COMPILE_FAIL
  return account.ask(deposit{});
#else
  return account.ask(balance{});
#endif
}
