// The commands that run in a shard, and at the end their rows in the command table. Pure: the store, the
// arguments and the time go in; the bytes of the reply and the effects come out. Called by the shard that
// owns the store.
#include "kv/shard/shard_commands.hpp"

#include "kv/ascii.hpp"
#include "kv/integer.hpp"
#include "kv/net/reply.hpp"
#include "kv/shard/glob.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace kv {
namespace {

constexpr std::int64_t max_integer = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t min_integer = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t ms_per_second = 1000;

void note(shard_context& shard, const effect& e) {
  if (shard.effects != nullptr) shard.effects->record(e);
}

void note_set(shard_context& shard, const entry& e) {
  note(shard, {.kind = effect_kind::set, .key = e.key(), .value = e.value(), .expires_at = e.expires_at});
}

void append_value_error(std::string& out, value_error e) {
  switch (e) {
    case value_error::not_an_integer:
      return reply::error(out, error_text::not_an_integer);
    case value_error::overflow:
      return reply::error(out, "ERR increment or decrement would overflow");
    case value_error::too_long:
      return reply::error(out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  }
}

void append_expire_error(std::string& out, std::string_view command) {
  reply::error(out, "ERR invalid expire time in '" + std::string(command) + "' command");
}

void append_value(std::string& out, const entry* e) {
  if (e == nullptr) return reply::null(out);
  reply::bulk(out, e->value());
}

void add(shard_context& shard, std::string_view key, std::int64_t delta, std::string& out) {
  const auto sum = shard.data.add(key, delta, shard.now);
  if (!sum) return append_value_error(out, sum.error());
  note_set(shard, **sum);
  out.push_back(':');
  out.append((*sum)->value()).append("\r\n");
}

void expire_after(shard_context& shard, arguments args, std::int64_t unit, std::string_view name,
                  std::string& out) {
  unsigned conditions = 0;
  const auto has = [&](expire_condition c) { return (conditions & static_cast<unsigned>(c)) != 0; };
  for (const std::string_view option : args.subspan(3)) {
    expire_condition c{};
    if (same_word(option, "nx")) {
      c = expire_condition::if_never;
    } else if (same_word(option, "xx")) {
      c = expire_condition::if_expiring;
    } else if (same_word(option, "gt")) {
      c = expire_condition::if_later;
    } else if (same_word(option, "lt")) {
      c = expire_condition::if_earlier;
    } else {
      return reply::error(out, "ERR Unsupported option " + std::string(option));
    }
    conditions |= static_cast<unsigned>(c);
  }
  const bool gt = has(expire_condition::if_later);
  const bool lt = has(expire_condition::if_earlier);
  if (has(expire_condition::if_never) && (has(expire_condition::if_expiring) || gt || lt)) {
    return reply::error(out, "ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (gt && lt) return reply::error(out, "ERR GT and LT options at the same time are not compatible");
  const auto amount = parse_integer(args[2]);
  if (!amount) return reply::error(out, error_text::not_an_integer);
  if (*amount > max_integer / unit || *amount < min_integer / unit ||
      *amount * unit > max_integer - shard.now) {
    return append_expire_error(out, name);
  }
  const unix_ms at = std::min(*amount * unit + shard.now, never - 1);
  switch (shard.data.expire(args[1], at, conditions, shard.now)) {
    case expire_outcome::refused:
      out.append(reply::zero);
      return;
    case expire_outcome::changed:
      note(shard, {.kind = effect_kind::expire, .key = args[1], .expires_at = at});
      out.append(reply::one);
      return;
    case expire_outcome::erased:
      note(shard, {.kind = effect_kind::erase, .key = args[1]});
      out.append(reply::one);
      return;
  }
}

/// Milliseconds until a key expires, -1 when it does not, -2 when it is not there.
std::int64_t time_to_live(shard_context& shard, std::string_view key) {
  const entry* e = shard.data.find(key, shard.now);
  if (e == nullptr) return -2;
  return e->expires_at == never ? -1 : e->expires_at - shard.now;
}

enum class time_option : std::uint8_t { none, ex, px, exat, pxat };

/// The expiry that an option of SET and its number stand for; nullopt when the number is out of range.
std::optional<unix_ms> expiry_of(time_option option, std::int64_t amount, unix_ms now) {
  const bool seconds = option == time_option::ex || option == time_option::exat;
  if (amount <= 0 || (seconds && amount > max_integer / ms_per_second)) return std::nullopt;
  if (seconds) amount *= ms_per_second;
  if (option == time_option::ex || option == time_option::px) {
    if (amount > max_integer - now) return std::nullopt;
    amount += now;
  }
  return std::min(amount, never - 1);
}

struct set_request {
  set_options how;
  time_option time = time_option::none;
  std::string_view amount;
  bool get = false;
};

/// False on a syntax error.
bool parse_set_options(arguments options, set_request& request) {
  for (std::size_t at = 0; at < options.size(); ++at) {
    const std::string_view word = options[at];
    const bool expiry_free = request.time == time_option::none && !request.how.keep_expiry;
    if (same_word(word, "nx") && request.how.condition != set_condition::if_present) {
      request.how.condition = set_condition::if_absent;
    } else if (same_word(word, "xx") && request.how.condition != set_condition::if_absent) {
      request.how.condition = set_condition::if_present;
    } else if (same_word(word, "get")) {
      request.get = true;
    } else if (same_word(word, "keepttl") && request.time == time_option::none) {
      request.how.keep_expiry = true;
    } else if (expiry_free && at + 1 < options.size()) {
      if (same_word(word, "ex")) {
        request.time = time_option::ex;
      } else if (same_word(word, "px")) {
        request.time = time_option::px;
      } else if (same_word(word, "exat")) {
        request.time = time_option::exat;
      } else if (same_word(word, "pxat")) {
        request.time = time_option::pxat;
      } else {
        return false;
      }
      request.amount = options[++at];
    } else {
      return false;
    }
  }
  return true;
}

struct scan_request {
  std::uint64_t cursor = 0;
  std::size_t count = 10;
  std::string_view pattern = "*";
  bool strings = true;  // false: TYPE asks for another type than string, and all values are strings
};

/// False when an error was appended to `out`.
bool parse_scan(arguments args, scan_request& request, std::string& out) {
  const std::string_view cursor = args[1];
  const auto [end, failed] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), request.cursor);
  if (failed != std::errc{} || end != cursor.data() + cursor.size()) {
    reply::error(out, "ERR invalid cursor");
    return false;
  }
  for (std::size_t at = 2; at < args.size(); at += 2) {
    if (at + 1 == args.size()) {
      reply::error(out, error_text::syntax);
      return false;
    }
    if (same_word(args[at], "count")) {
      const auto count = parse_integer(args[at + 1]);
      if (!count || *count < 1) {
        reply::error(out, count ? error_text::syntax : error_text::not_an_integer);
        return false;
      }
      request.count = static_cast<std::size_t>(*count);
    } else if (same_word(args[at], "match")) {
      request.pattern = args[at + 1];
    } else if (same_word(args[at], "type")) {
      request.strings = same_word(args[at + 1], "string");
    } else {
      reply::error(out, error_text::syntax);
      return false;
    }
  }
  return true;
}

// -- the commands, by name ------------------------------------------------------------

void append(shard_context& shard, arguments args, std::string& out) {
  const auto done = shard.data.append(args[1], args[2], shard.now);
  if (!done) return append_value_error(out, done.error());
  // A new key is recorded whole: during a replay the store may still hold an expired value of this key, which
  // an `append` effect would extend.
  const entry& e = **done;
  if (e.value().size() == args[2].size()) {
    note_set(shard, e);
  } else {
    note(shard, {.kind = effect_kind::append, .key = args[1], .value = args[2]});
  }
  reply::integer(out, static_cast<std::int64_t>(e.value().size()));
}

void dbsize(shard_context& shard, arguments, std::string& out) {
  reply::integer(out, static_cast<std::int64_t>(shard.data.size()));
}

void decr(shard_context& shard, arguments args, std::string& out) {
  add(shard, args[1], -1, out);
}

void decrby(shard_context& shard, arguments args, std::string& out) {
  const auto delta = parse_integer(args[2]);
  if (!delta) return reply::error(out, error_text::not_an_integer);
  if (*delta == min_integer) return reply::error(out, "ERR decrement would overflow");
  add(shard, args[1], -*delta, out);
}

void del(shard_context& shard, arguments args, std::string& out) {
  std::int64_t removed = 0;
  for (const std::string_view key : args.subspan(1)) {
    if (!shard.data.erase(key, shard.now)) continue;
    ++removed;
    note(shard, {.kind = effect_kind::erase, .key = key});
  }
  reply::integer(out, removed);
}

void exists(shard_context& shard, arguments args, std::string& out) {
  reply::integer(out, std::ranges::count_if(args.subspan(1), [&](std::string_view key) {
                   return shard.data.find(key, shard.now) != nullptr;
                 }));
}

void expire(shard_context& shard, arguments args, std::string& out) {
  expire_after(shard, args, ms_per_second, "expire", out);
}

void flushall(shard_context& shard, arguments args, std::string& out) {
  if (args.size() > 2 || (args.size() == 2 && !same_word(args[1], "async") && !same_word(args[1], "sync"))) {
    return reply::error(out, error_text::syntax);
  }
  shard.data.clear();
  note(shard, {.kind = effect_kind::clear});
  out.append(reply::ok);
}

void get(shard_context& shard, arguments args, std::string& out) {
  append_value(out, shard.data.find(args[1], shard.now));
}

void getset(shard_context& shard, arguments args, std::string& out) {
  append_value(out, shard.data.find(args[1], shard.now));
  note_set(shard, *shard.data.set(args[1], args[2], shard.now));
}

void incr(shard_context& shard, arguments args, std::string& out) {
  add(shard, args[1], 1, out);
}

void incrby(shard_context& shard, arguments args, std::string& out) {
  const auto delta = parse_integer(args[2]);
  if (!delta) return reply::error(out, error_text::not_an_integer);
  add(shard, args[1], *delta, out);
}

void keys(shard_context& shard, arguments args, std::string& out) {
  const std::string_view pattern = args[1];
  const bool all = pattern == "*";
  std::size_t count = 0;
  std::string body;
  // All segments in one call: no merge, which could show a key twice, happens in between.
  shard.data.scan(0, std::numeric_limits<std::size_t>::max(), shard.now, [&](const entry& e) {
    if (!all && !glob_match(pattern, e.key())) return;
    ++count;
    reply::bulk(body, e.key());
  });
  reply::array(out, count);
  out.append(body);
}

void mget(shard_context& shard, arguments args, std::string& out) {
  reply::array(out, args.size() - 1);
  for (const std::string_view key : args.subspan(1)) append_value(out, shard.data.find(key, shard.now));
}

void mset(shard_context& shard, arguments args, std::string& out) {
  for (std::size_t at = 1; at + 1 < args.size(); at += 2) {
    note_set(shard, *shard.data.set(args[at], args[at + 1], shard.now));
  }
  out.append(reply::ok);
}

void persist(shard_context& shard, arguments args, std::string& out) {
  const bool done = shard.data.persist(args[1], shard.now);
  if (done) note(shard, {.kind = effect_kind::expire, .key = args[1], .expires_at = never});
  out.append(done ? reply::one : reply::zero);
}

void pexpire(shard_context& shard, arguments args, std::string& out) {
  expire_after(shard, args, 1, "pexpire", out);
}

void pttl(shard_context& shard, arguments args, std::string& out) {
  reply::integer(out, time_to_live(shard, args[1]));
}

void scan(shard_context& shard, arguments args, std::string& out) {
  scan_request request;
  if (!parse_scan(args, request, out)) return;
  std::size_t count = 0;
  std::string body;
  const hash_position next = shard.data.scan(request.cursor / shard.shard_count << 32, request.count,
                                             shard.now, [&](const entry& e) {
                                               if (!request.strings || !glob_match(request.pattern, e.key()))
                                                 return;
                                               ++count;
                                               reply::bulk(body, e.key());
                                             });
  std::uint64_t cursor = (next >> 32) * shard.shard_count + shard.shard;
  if (next == 0) cursor = shard.shard + 1 == shard.shard_count ? 0 : shard.shard + 1;
  reply::array(out, 2);
  char text[20];
  reply::bulk(out, {text, std::to_chars(text, text + sizeof text, cursor).ptr});
  reply::array(out, count);
  out.append(body);
}

void set(shard_context& shard, arguments args, std::string& out) {
  set_request request;
  std::optional<std::string> previous;
  if (args.size() > 3) {
    if (!parse_set_options(args.subspan(3), request)) return reply::error(out, error_text::syntax);
    if (request.time != time_option::none) {
      const auto amount = parse_integer(request.amount);
      if (!amount) return reply::error(out, error_text::not_an_integer);
      const auto at = expiry_of(request.time, *amount, shard.now);
      if (!at) return append_expire_error(out, "set");
      request.how.expires_at = *at;
    }
    if (request.get) request.how.previous = &previous;
  }
  const entry* e = shard.data.set(args[1], args[2], shard.now, request.how);
  if (e != nullptr) note_set(shard, *e);
  if (request.get) {
    if (!previous) return reply::null(out);
    return reply::bulk(out, *previous);
  }
  out.append(e != nullptr ? reply::ok : reply::null_bulk);
}

void setnx(shard_context& shard, arguments args, std::string& out) {
  const entry* e = shard.data.set(args[1], args[2], shard.now, {.condition = set_condition::if_absent});
  if (e != nullptr) note_set(shard, *e);
  out.append(e != nullptr ? reply::one : reply::zero);
}

void strlen(shard_context& shard, arguments args, std::string& out) {
  const entry* e = shard.data.find(args[1], shard.now);
  reply::integer(out, e == nullptr ? 0 : static_cast<std::int64_t>(e->value().size()));
}

void ttl(shard_context& shard, arguments args, std::string& out) {
  const std::int64_t ms = time_to_live(shard, args[1]);
  reply::integer(out, ms < 0 ? ms : (ms + ms_per_second / 2) / ms_per_second);
}

void type(shard_context& shard, arguments args, std::string& out) {
  reply::simple(out, shard.data.find(args[1], shard.now) != nullptr ? "string" : "none");
}

// clang-format off
// NOLINTBEGIN(modernize-use-designated-initializers): the header line names the columns
constexpr unsigned write = flag_write;
constexpr unsigned read = flag_readonly;
constexpr unsigned fast = flag_fast;

constexpr auto rows = std::to_array<command>({
    // name, arity, flags, place, join, function
    {"append", 3, write | fast, place::one_key, join::only, append},
    {"dbsize", 1, read | fast, place::all_shards, join::sum, dbsize},
    {"decr", 2, write | fast, place::one_key, join::only, decr},
    {"decrby", 3, write | fast, place::one_key, join::only, decrby},
    {"del", -2, write, place::each_key, join::sum, del},
    {"exists", -2, read | fast, place::each_key, join::sum, exists},
    {"expire", -3, write | fast, place::one_key, join::only, expire},
    {"flushall", -1, write, place::all_shards, join::all_ok, flushall},
    {"get", 2, read | fast, place::one_key, join::only, get},
    {"getset", 3, write | fast, place::one_key, join::only, getset},
    {"incr", 2, write | fast, place::one_key, join::only, incr},
    {"incrby", 3, write | fast, place::one_key, join::only, incrby},
    {"keys", 2, read, place::all_shards, join::concatenate, keys},
    {"mget", -2, read | fast, place::each_key, join::by_position, mget},
    {"mset", -3, write, place::each_pair, join::all_ok, mset},
    {"persist", 2, write | fast, place::one_key, join::only, persist},
    {"pexpire", -3, write | fast, place::one_key, join::only, pexpire},
    {"pttl", 2, read | fast, place::one_key, join::only, pttl},
    {"scan", -2, read, place::cursor, join::only, scan},
    {"set", -3, write, place::one_key, join::only, set},
    {"setnx", 3, write | fast, place::one_key, join::only, setnx},
    {"strlen", 2, read | fast, place::one_key, join::only, strlen},
    {"ttl", 2, read | fast, place::one_key, join::only, ttl},
    {"type", 2, read | fast, place::one_key, join::only, type},
});
// NOLINTEND(modernize-use-designated-initializers): the header line names the columns up to here
// clang-format on

}  // namespace

std::span<const command> shard_commands() {
  return rows;
}

// A cursor is position * shard_count + shard, where position is the top half of a hash position. 0 is the
// start of the first shard; after the last shard the cursor is 0 again.
std::size_t shard_of_cursor(std::string_view cursor, std::size_t shard_count) {
  std::uint64_t value = 0;
  const auto [end, failed] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), value);
  if (failed != std::errc{} || end != cursor.data() + cursor.size()) return 0;
  return static_cast<std::size_t>(value % shard_count);
}

}  // namespace kv
