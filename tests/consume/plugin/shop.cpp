// The plugin: a shared library with an actor inside, which exchanges messages with the program that loads it.
#include "shop.hpp"

namespace shop {
namespace {

struct shelf {
  using accepts = troupe::protocol<put, count, close>;
  void handle(const put& m) {
    if (m.ware.empty()) throw troupe::troupe_error(troupe::error(troupe::errc::invalid_argument));
    ++wares;
  }
  [[nodiscard]] int handle(count) const { return wares; }
  void handle(close, troupe::context& ctx) { ctx.stop(); }
  int wares = 0;
};

}  // namespace

troupe::ref<put, count, close> open(troupe::system& sys) {
  return sys.spawn<shelf>({.name = "shelf"});
}

}  // namespace shop
