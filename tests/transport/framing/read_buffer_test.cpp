// read_buffer against a plain string.
#include "support/catch.hpp"
#include "transport/loopback.hpp"

#include <troupe/transport/read_buffer.hpp>

#include <rapidcheck.h>

#include <algorithm>
#include <string>

using troupe::read_buffer;
using troupe_test::bytes_of;
using troupe_test::text_of;

namespace {

// Writes what fits and returns how much that was.
std::size_t write(read_buffer& b, std::string_view text, std::size_t at_least) {
  const auto room = b.prepare(at_least);
  const std::size_t n = std::min(room.size(), text.size());
  std::ranges::copy(bytes_of(text).first(n), room.begin());
  b.commit(n);
  return n;
}

}  // namespace

TEST_CASE("read_buffer: holds no memory unless it holds data") {
  read_buffer b(100'000);
  CHECK(b.capacity() == 0);
  CHECK(write(b, "abc", 3) == 3);
  CHECK(b.capacity() == read_buffer::block_bytes);
  b.consume(1);
  CHECK(b.capacity() != 0);
  CHECK(text_of(b.data()) == "bc");
  b.consume(2);
  CHECK(b.capacity() == 0);
  (void)b.prepare();
  CHECK(b.capacity() != 0);
  b.give_back();
  CHECK(b.capacity() == 0);
}

TEST_CASE("read_buffer: never holds more than its limit") {
  read_buffer b(10);
  CHECK(b.prepare(11).empty());
  CHECK(b.capacity() == 0);
  CHECK(write(b, "0123456789abcdef", 1) == 10);
  CHECK(b.prepare(1).empty());
  CHECK(b.prepare().empty());
  b.consume(4);
  CHECK(b.prepare().size() == 4);
  CHECK(text_of(b.data()) == "456789");
}

TEST_CASE("read_buffer: behaves as a queue of bytes, contiguous and in order") {
  CHECK(rc::check("against a string", [] {
    const auto limit = *rc::gen::inRange<std::size_t>(1, 100'000);
    read_buffer b(limit);
    std::string model;
    char next = 'a';
    const auto steps = *rc::gen::container<std::vector<std::pair<bool, std::uint32_t>>>(
        rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange<std::uint32_t>(0, 40'000)));
    for (const auto& [grow, n] : steps) {
      if (grow) {
        std::string text(n, ' ');
        for (char& c : text) c = next = next == 'z' ? 'a' : static_cast<char>(next + 1);
        const std::size_t taken = write(b, text, std::max<std::size_t>(n, 1));
        const bool fits = model.size() + std::max<std::size_t>(n, 1) <= limit;
        RC_ASSERT(taken == (fits ? n : 0));
        model.append(text, 0, taken);
        b.give_back();
      } else {
        b.consume(n);
        model.erase(0, std::min<std::size_t>(n, model.size()));
      }
      RC_ASSERT(text_of(b.data()) == model);
      RC_ASSERT(b.capacity() <= std::max(2 * limit, read_buffer::block_bytes));
      RC_ASSERT((b.capacity() == 0) == model.empty());
    }
  }));
}

TEST_CASE("read_buffer: moves with its data") {
  read_buffer a(100);
  write(a, "moved", 5);
  read_buffer b(std::move(a));
  CHECK(text_of(b.data()) == "moved");
  a = std::move(b);
  CHECK(text_of(a.data()) == "moved");
  CHECK(a.limit() == 100);
}
