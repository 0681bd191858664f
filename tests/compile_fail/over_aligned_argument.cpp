// expect: an argument of an actor's constructor must not be over-aligned
#include <troupe/actors.hpp>

struct alignas(32) vector_of_four {
  double of[4];
};
struct go {};
struct actor {
  using accepts = troupe::protocol<go>;
  explicit actor(const vector_of_four& v) : first(v.of[0]) {}
  explicit actor(double f) : first(f) {}
  void handle(go) {}
  double first;
};

troupe::ref<go> start(troupe::system& sys) {
#ifdef TROUPE_COMPILE_FAIL
  return sys.spawn<actor>({}, vector_of_four{});
#else
  return sys.spawn<actor>({}, 1.0);
#endif
}
