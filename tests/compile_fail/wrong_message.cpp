// expect: does not accept this message
// expect: is_accepted_by_protocol<withdraw, deposit, balance>
#include <troupe/actors.hpp>

struct deposit {};
struct withdraw {};
struct balance {
  using reply = int;
};

troupe::send_result pay(const troupe::ref<deposit, balance>& account) {
#ifdef TROUPE_COMPILE_FAIL
  if (account.tell(withdraw{}) != troupe::send_result::ok) return troupe::send_result::full;
#endif
  return account.tell(deposit{});
}
