// The codec of requests: accepted and refused input, and independence of the chunks in which it arrives.
#include "kv/net/resp.hpp"

#include "kv/net/reply.hpp"
#include "support/catch.hpp"

#include <rapidcheck.h>

#include <algorithm>

namespace {

using command = std::vector<std::string>;

struct outcome {
  std::vector<command> commands;
  std::string error;
  bool operator==(const outcome&) const = default;
};

/// Passes `input` to the codec in pieces that end at the given offsets, as framed does.
outcome feed(std::string_view input, const std::vector<std::size_t>& cuts, kv::parser_limits limits = {}) {
  kv::resp_codec codec(limits);
  outcome seen;
  std::size_t start = 0;
  std::size_t previous = 0;
  std::vector<std::size_t> ends = cuts;
  ends.push_back(input.size());
  for (const std::size_t end : ends) {
    if (end < previous) continue;
    previous = end;
    for (;;) {
      const std::size_t shown = std::min(end - start, codec.max_encoded());
      const std::string moved(input.substr(start, shown));  // another address each time
      const auto step = codec.decode(std::as_bytes(std::span(moved)));
      if (!step) {
        seen.error = step.error().text();
        REQUIRE(step.error() == std::make_error_code(std::errc::bad_message));
        REQUIRE(codec.decode(std::as_bytes(std::span(moved))).error().text() == seen.error);
        return seen;
      }
      if (!step->frame) break;
      if (!step->frame->empty()) seen.commands.emplace_back(step->frame->begin(), step->frame->end());
      start += step->bytes;
    }
  }
  return seen;
}

outcome parse(std::string_view input, kv::parser_limits limits = {}) {
  return feed(input, {}, limits);
}

std::string encode(const command& args) {
  std::string out;
  kv::reply::array(out, args.size());
  for (const auto& arg : args) kv::reply::bulk(out, arg);
  return out;
}

/// Bytes that resemble requests often enough to reach all parts of the parser.
rc::Gen<std::string> request_like() {
  const auto piece = rc::gen::element<std::string>(
      "*1\r\n", "*2\r\n", "*-1\r\n", "*0\r\n", "$3\r\n", "$0\r\n", "abc\r\n", "\r\n", "\n", "\r", "$", "*",
      "GET \"a b\"\r\n", "'x'y\r\n", "PING\r\n", "\"\\x41\\n\"\n", "$-1\r\n", "*x\r\n", " ", "\"", "$12\r\n");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string all;
                        for (const auto& p : pieces) all += p;
                        return all;
                      });
}

}  // namespace

TEST_CASE("resp: a multibulk command yields its arguments, whatever bytes they contain") {
  CHECK(rc::check("encoded commands come back", [](const std::vector<command>& commands) {
    std::string input;
    std::vector<command> expected;
    for (const auto& c : commands) {
      input += encode(c);
      if (!c.empty()) expected.push_back(c);
    }
    const outcome seen = parse(input);
    RC_ASSERT(seen.error.empty());
    RC_ASSERT(seen.commands == expected);
  }));
}

TEST_CASE("resp: the result does not depend on how the input is split") {
  CHECK(rc::check("any chunking gives the same commands and the same error", [] {
    const std::string input = *request_like();
    auto cuts =
        *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, input.size() + 1));
    std::ranges::sort(cuts);
    kv::parser_limits limits;
    limits.max_line = *rc::gen::inRange<std::size_t>(1, 30);
    limits.max_bulk = 10;
    RC_ASSERT(feed(input, cuts, limits) == parse(input, limits));
  }));
}

TEST_CASE("resp: input may arrive byte by byte") {
  const std::string input = "*2\r\n$3\r\nGET\r\n$5\r\nhe\r\nl\r\nPING 'a b'\r\n*0\r\n\r\nQUIT\n";
  std::vector<std::size_t> cuts(input.size());
  for (std::size_t at = 0; at < cuts.size(); ++at) cuts[at] = at;
  const outcome seen = feed(input, cuts);
  CHECK(seen.error.empty());
  CHECK(seen.commands == std::vector<command>{{"GET", "he\r\nl"}, {"PING", "a b"}, {"QUIT"}});
}

TEST_CASE("resp: inline commands follow the quoting of Redis") {
  const auto one = [](std::string_view line) {
    const outcome seen = parse(std::string(line) + "\r\n");
    return seen.commands.empty() ? command{seen.error} : seen.commands.front();
  };
  CHECK(one("  set  a   1 ") == command{"set", "a", "1"});
  CHECK(one("set k \"a b\"") == command{"set", "k", "a b"});
  CHECK(one(R"(set k "\x41\x0a\n\t\"\\q\q")") == command{"set", "k", "A\n\n\t\"\\qq"});
  CHECK(one(R"(set k '\n\'x')") == command{"set", "k", "\\n'x"});
  CHECK(one(R"(set k "")") == command{"set", "k", ""});
  CHECK(one(R"(a"b c")") == command{"ab c"});
  CHECK(one(R"("\xzz")") == command{"xzz"});
  const command unbalanced{"ERR Protocol error: unbalanced quotes in request"};
  CHECK(one(R"(set k "a)") == unbalanced);
  CHECK(one(R"(set k 'a)") == unbalanced);
  CHECK(one(R"(set k "a"b)") == unbalanced);
  CHECK(one(R"(set k "a\)") == unbalanced);
}

TEST_CASE("resp: malformed frames get the errors of Redis") {
  const auto error = [](std::string_view input, kv::parser_limits limits = {}) {
    return parse(input, limits).error;
  };
  CHECK(error("*x\r\n") == "ERR Protocol error: invalid multibulk length");
  CHECK(error("*01\r\n") == "ERR Protocol error: invalid multibulk length");
  CHECK(error("*\r\n") == "ERR Protocol error: invalid multibulk length");
  CHECK(error("*1048577\r\n") == "ERR Protocol error: invalid multibulk length");
  CHECK(error("*99999999999999999999\r\n") == "ERR Protocol error: invalid multibulk length");
  CHECK(error("*1\r\nGET\r\n") == "ERR Protocol error: expected '$', got 'G'");
  CHECK(error("*1\r\n$-1\r\n") == "ERR Protocol error: invalid bulk length");
  CHECK(error("*1\r\n$x\r\n") == "ERR Protocol error: invalid bulk length");
  CHECK(error("*1\r\n$11\r\n", {.max_bulk = 10}) == "ERR Protocol error: invalid bulk length");
  CHECK(error("*2\r\n$9\r\n123456789\r\n$9\r\n", {.max_bulk = 10, .max_command = 30}) ==
        "ERR Protocol error: too big request");
  CHECK(error(std::string(65537, 'a')) == "ERR Protocol error: too big inline request");
  CHECK(error("*" + std::string(65537, '1')) == "ERR Protocol error: too big mbulk count string");
  CHECK(error("*1\r\n$" + std::string(65537, '1')) == "ERR Protocol error: too big bulk count string");
  CHECK(error("*1\r\n$10\r\n1234567890\r\n", {.max_bulk = 10}).empty());
}

TEST_CASE("resp: a large argument is not scanned before it is complete, and is not copied") {
  kv::resp_codec codec;
  const auto decode = [&](const std::string& input) { return codec.decode(std::as_bytes(std::span(input))); };
  const std::string head = "*2\r\n$3\r\nSET\r\n$1000000\r\n";
  auto step = decode(head);
  REQUIRE((step && !step->frame));
  CHECK(step->bytes == head.size() + 1000002);
  const std::string half = head + std::string(500000, 'x');
  step = decode(half);
  REQUIRE((step && !step->frame));
  const std::string whole = head + std::string(1000000, 'x') + "\r\nPING";
  step = decode(whole);
  REQUIRE((step && step->frame));
  CHECK(step->bytes == whole.size() - 4);
  CHECK((*step->frame)[1].data() == whole.data() + head.size());
}

TEST_CASE("resp: no command exceeds the codec's limit, whatever its parts") {
  const kv::parser_limits limits{.max_bulk = 100, .max_command = 60};
  const std::string too_big = "ERR Protocol error: too big request";
  CHECK(parse(encode({"SET", "k", std::string(30, 'x')}), limits).error.empty());
  CHECK(parse(encode({"SET", "k", std::string(60, 'x')}), limits).error == too_big);
  CHECK(parse(encode(command(20, "")), limits).error == too_big);
  CHECK(parse("ECHO " + std::string(100, 'x') + "\r\n", limits).error == too_big);
}

TEST_CASE("reply: the length of a reply is found, also of nested and incomplete ones") {
  for (const std::string_view whole : {"+OK\r\n", "-ERR x\r\n", ":12\r\n", "$3\r\nabc\r\n", "$-1\r\n",
                                       "*-1\r\n", "*0\r\n", "*2\r\n:1\r\n*1\r\n$1\r\na\r\n"}) {
    CHECK(kv::reply::first_length(std::string(whole) + "+next\r\n") == whole.size());
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK(kv::reply::first_length(whole.substr(0, size)) == 0);
  }
}

TEST_CASE("reply: an error that quotes a client stays on one line") {
  std::string out;
  kv::reply::error(out, "ERR unknown 'a\r\n+OK'");
  CHECK(out == "-ERR unknown 'a  +OK'\r\n");
}
