// The compact entry compared with two strings, through every change of size and every move.
#include "kv/shard/entry.hpp"

#include "support/catch.hpp"

#include <rapidcheck.h>

#include <string>

TEST_CASE("entry: holds key and value whatever sizes they grow and shrink to, and wherever it moves") {
  CHECK(rc::check("behaves as two strings", [] {
    const auto text = [] {
      return std::string(*rc::gen::element<std::size_t>(0, 1, 15, 16, 17, 31, 32, 33, 200),
                         *rc::gen::inRange('a', 'z'));
    };
    kv::entry e;
    std::string key = text();
    std::string value = text();
    e.assign(key, value);
    for (int step = *rc::gen::inRange(0, 20); step > 0; --step) {
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          value = text();
          e.set_value(value);
          break;
        case 1: {
          const std::string suffix = text();
          value += suffix;
          e.append_value(suffix);
          break;
        }
        case 2: {
          kv::entry other;
          other.assign("other", std::string(50, 'o'));
          other = std::move(e);
          e = std::move(other);
          break;
        }
        default:
          key = text();
          value = text();
          e.assign(key, value);
      }
      RC_ASSERT(e.key() == key);
      RC_ASSERT(e.value() == value);
    }
    kv::entry last(std::move(e));
    RC_ASSERT(last.key() == key);
    RC_ASSERT(last.value() == value);
  }));
}
