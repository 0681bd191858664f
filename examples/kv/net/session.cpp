// The commands that a connection answers itself, and at the end their rows in the command table; the texts of
// INFO and CONFIG GET.
#include "kv/net/session.hpp"

#include "kv/ascii.hpp"
#include "kv/integer.hpp"
#include "kv/net/reply.hpp"
#include "kv/shard/glob.hpp"

#include <algorithm>
#include <array>

namespace kv {
namespace {

constexpr std::string_view compatible_version = "7.0.15";  // the version of Redis whose replies these are

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~'; });
}

void append_unknown_subcommand(const command& spec, arguments args, std::string& out) {
  reply::error(out, "ERR unknown subcommand '" + std::string(args[1].substr(0, 128)) + "'. Try " +
                        upper(spec.name) + " HELP.");
}

/// True when the subcommand has `count` arguments, names included; else the error is answered.
bool has_count(const command& spec, arguments args, std::size_t count, std::string& out) {
  if (args.size() == count) return true;
  append_arity_error(out, std::string(spec.name) + "|" + lower(args[1]));
  return false;
}

bool set_name(session& client, std::string_view name, std::string& out) {
  if (!is_plain(name)) {
    reply::error(out, "ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  client.name = name;
  return true;
}

void set_library(session& client, arguments args, std::string& out) {
  const bool is_name = same_word(args[2], "lib-name");
  if (!is_name && !same_word(args[2], "lib-ver")) {
    return reply::error(out, "ERR Unrecognized option '" + std::string(args[2]) + "'");
  }
  if (!is_plain(args[3])) {
    return reply::error(out,
                        "ERR " + lower(args[2]) + " cannot contain spaces, newlines or special characters.");
  }
  (is_name ? client.library_name : client.library_version) = args[3];
  out.append(reply::ok);
}

session_step run_client(connection_context& c, arguments args, std::string& out) {
  if (same_word(args[1], "setname")) {
    if (has_count(c.what, args, 3, out) && set_name(c.client, args[2], out)) out.append(reply::ok);
  } else if (same_word(args[1], "getname")) {
    if (has_count(c.what, args, 2, out)) {
      c.client.name.empty() ? reply::null(out) : reply::bulk(out, c.client.name);
    }
  } else if (same_word(args[1], "setinfo")) {
    if (has_count(c.what, args, 4, out)) set_library(c.client, args, out);
  } else if (same_word(args[1], "id")) {
    if (has_count(c.what, args, 2, out)) reply::integer(out, c.client.id);
  } else {
    append_unknown_subcommand(c.what, args, out);
  }
  return session_step::answered;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  reply::bulk(out, name);
  reply::bulk(out, value);
}

/// Does what the arguments of HELLO ask for; false when an error was appended to `out`.
bool apply_hello(session& client, arguments args, std::string& out) {
  const auto refuse = [&](std::string_view text) {
    reply::error(out, text);
    return false;
  };
  if (args.size() > 1) {
    const auto version = parse_integer(args[1]);
    if (!version) return refuse("ERR Protocol version is not an integer or out of range");
    if (*version != 2) return refuse("NOPROTO unsupported protocol version");
  }
  for (std::size_t at = 2; at < args.size();) {
    const std::size_t left = args.size() - at - 1;
    if (same_word(args[at], "auth") && left >= 2) {
      // As a Redis without passwords: the only user is "default", with any password.
      if (args[at + 1] != "default")
        return refuse("WRONGPASS invalid username-password pair or user is disabled.");
      at += 3;
    } else if (same_word(args[at], "setname") && left >= 1) {
      if (!set_name(client, args[at + 1], out)) return false;
      at += 2;
    } else {
      return refuse("ERR Syntax error in HELLO option '" + std::string(args[at]) + "'");
    }
  }
  return true;
}

session_step run_hello(connection_context& c, arguments args, std::string& out) {
  if (!apply_hello(c.client, args, out)) return session_step::answered;
  reply::array(out, 14);
  append_field(out, "server", "redis");
  append_field(out, "version", compatible_version);
  reply::bulk(out, "proto");
  reply::integer(out, 2);
  reply::bulk(out, "id");
  reply::integer(out, c.client.id);
  append_field(out, "mode", "standalone");
  append_field(out, "role", "master");
  reply::bulk(out, "modules");
  reply::array(out, 0);
  return session_step::answered;
}

/// The first and the last key among the arguments and the step between keys, as COMMAND reports them; 0: no
/// keys.
struct key_range {
  int first = 0, last = 0, step = 0;
};

key_range keys_of(place where) {
  switch (where) {
    case place::one_key:
      return {.first = 1, .last = 1, .step = 1};
    case place::each_key:
      return {.first = 1, .last = -1, .step = 1};
    case place::each_pair:
      return {.first = 1, .last = -1, .step = 2};
    case place::connection:
    case place::all_shards:
    case place::cursor:
      break;
  }
  return {};
}

void append_command(const command& spec, std::string& out) {
  constexpr std::array<std::pair<unsigned, std::string_view>, 4> names = {
      {{flag_write, "write"}, {flag_readonly, "readonly"}, {flag_admin, "admin"}, {flag_fast, "fast"}}};
  const auto is_set = [&](const auto& flag) { return (spec.flags & flag.first) != 0; };
  reply::array(out, 10);
  reply::bulk(out, spec.name);
  reply::integer(out, spec.arity);
  reply::array(out, static_cast<std::size_t>(std::ranges::count_if(names, is_set)));
  for (const auto& flag : names) {
    if (is_set(flag)) reply::simple(out, flag.second);
  }
  const key_range keys = keys_of(spec.where);
  for (const int key : {keys.first, keys.last, keys.step}) reply::integer(out, key);
  // Empty: ACL categories, tips, key specifications, subcommands.
  for (int part = 0; part < 4; ++part) reply::array(out, 0);
}

session_step run_command(connection_context& c, arguments args, std::string& out) {
  const std::span<const command> all = command_table();
  const auto append_all = [&] {
    reply::array(out, all.size());
    for (const command& each : all) append_command(each, out);
  };
  if (args.size() == 1) {
    append_all();
  } else if (same_word(args[1], "count")) {
    if (has_count(c.what, args, 2, out)) reply::integer(out, static_cast<std::int64_t>(all.size()));
  } else if (same_word(args[1], "docs")) {
    reply::array(out, 0);
  } else if (same_word(args[1], "info")) {
    if (args.size() == 2) {
      append_all();
      return session_step::answered;
    }
    reply::array(out, args.size() - 2);
    for (const std::string_view name : args.subspan(2)) {
      const command* const each = find_command(name);
      each != nullptr ? append_command(*each, out) : reply::null(out);
    }
  } else {
    append_unknown_subcommand(c.what, args, out);
  }
  return session_step::answered;
}

session_step run_config(connection_context& c, arguments args, std::string& out) {
  if (!same_word(args[1], "get")) {
    append_unknown_subcommand(c.what, args, out);
    return session_step::answered;
  }
  if (args.size() > 2) return session_step::config_get;
  append_arity_error(out, "config|get");
  return session_step::answered;
}

session_step run_echo(connection_context&, arguments args, std::string& out) {
  reply::bulk(out, args[1]);
  return session_step::answered;
}

session_step run_info(connection_context&, arguments, std::string&) {
  return session_step::info;
}

session_step run_ping(connection_context& c, arguments args, std::string& out) {
  if (args.size() > 2) {
    append_arity_error(out, c.what.name);
  } else {
    args.size() == 2 ? reply::bulk(out, args[1]) : reply::simple(out, "PONG");
  }
  return session_step::answered;
}

session_step run_quit(connection_context&, arguments, std::string& out) {
  out.append(reply::ok);
  return session_step::close;
}

session_step run_select(connection_context&, arguments args, std::string& out) {
  const auto index = parse_integer(args[1]);
  if (!index) {
    reply::error(out, error_text::not_an_integer);
  } else if (*index != static_cast<std::int32_t>(*index)) {
    reply::error(out, "ERR value is out of range, value must between -2147483648 and 2147483647");
  } else if (*index != 0) {
    reply::error(out, "ERR DB index is out of range");
  } else {
    out.append(reply::ok);
  }
  return session_step::answered;
}

session_step run_shutdown(connection_context&, arguments args, std::string& out) {
  for (const std::string_view word : args.subspan(1)) {
    if (same_word(word, "abort")) {
      reply::error(out, "ERR No shutdown in progress.");
      return session_step::answered;
    }
    if (!same_word(word, "nosave") && !same_word(word, "save") && !same_word(word, "now") &&
        !same_word(word, "force")) {
      reply::error(out, error_text::syntax);
      return session_step::answered;
    }
  }
  return session_step::shutdown;
}

session_step run_troupe(connection_context& c, arguments args, std::string& out) {
  if (same_word(args[1], "tree")) {
    return has_count(c.what, args, 2, out) ? session_step::tree : session_step::answered;
  }
  if (!same_word(args[1], "crash")) {
    append_unknown_subcommand(c.what, args, out);
    return session_step::answered;
  }
  if (!has_count(c.what, args, 3, out)) return session_step::answered;
  const auto shard = parse_integer(args[2]);
  if (!shard || *shard < 0 || static_cast<std::size_t>(*shard) >= c.shard_count) {
    reply::error(out, "ERR no such shard: there are shards 0 to " + std::to_string(c.shard_count - 1));
    return session_step::answered;
  }
  return session_step::crash;
}

constexpr unsigned fast = flag_fast;
constexpr unsigned admin = flag_admin;

constexpr command row(std::string_view name, int arity, unsigned flags, connection_function run) {
  return {.name = name, .arity = arity, .flags = flags, .where = place::connection, .in_connection = run};
}

constexpr auto rows = std::to_array<command>({
    row("client", -2, 0, run_client),
    row("command", -1, 0, run_command),
    row("config", -2, admin, run_config),
    row("echo", 2, fast, run_echo),
    row("hello", -1, fast, run_hello),
    row("info", -1, 0, run_info),
    row("ping", -1, fast, run_ping),
    row("quit", -1, fast, run_quit),
    row("select", 2, fast, run_select),
    row("shutdown", -1, admin, run_shutdown),
    row("troupe", -2, admin, run_troupe),
});

}  // namespace

std::span<const command> connection_commands() {
  return rows;
}

session_step execute(const command& what, session& client, arguments args, std::size_t shard_count,
                     std::string& out) {
  connection_context c{.what = what, .client = client, .shard_count = shard_count};
  return what.in_connection(c, args, out);
}

std::size_t shard_to_crash(arguments args) {
  return static_cast<std::size_t>(parse_integer(args[2]).value_or(0));
}

void append_info(const server_info& facts, arguments args, std::string& out) {
  const auto wanted = [&](std::string_view section) {
    const auto names = args.subspan(1);
    return names.empty() || std::ranges::any_of(names, [&](std::string_view name) {
             return same_word(name, section) || same_word(name, "all") || same_word(name, "default") ||
                    same_word(name, "everything");
           });
  };
  std::string text;
  const auto section = [&](std::string_view name) {
    if (!wanted(name)) return false;
    if (!text.empty()) text.append("\r\n");
    text.append("# ").append(name).append("\r\n");
    return true;
  };
  const auto word = [&](std::string_view name, std::string_view value) {
    text.append(name).append(":").append(value).append("\r\n");
  };
  const auto number = [&](std::string_view name, std::int64_t value) {
    word(name, integer_text(value).view());
  };
  if (section("Server")) {
    word("redis_version", compatible_version);
    word("redis_mode", "standalone");
    word("troupe_kv_version", facts.version);
    number("process_id", facts.process_id);
    number("tcp_port", facts.port);
    number("uptime_in_seconds", facts.uptime_seconds);
  }
  if (section("Clients")) {
    number("connected_clients", facts.connected_clients);
    number("maxclients", facts.max_clients);
  }
  if (section("Memory")) number("used_memory", facts.used_memory);
  if (section("Persistence")) {
    number("loading", facts.loading ? 1 : 0);
    number("aof_enabled", 1);
    word("aof_last_write_status", facts.journal_failing ? "err" : "ok");
    number("aof_current_size", facts.journal_bytes);
  }
  if (section("Stats")) {
    number("total_connections_received", facts.connections_received);
    number("total_commands_processed", facts.commands_processed);
    number("rejected_connections", facts.connections_rejected);
    number("failed_tls_handshakes", facts.handshakes_failed);
  }
  if (section("Replication")) {
    word("role", "master");
    number("connected_slaves", 0);
  }
  if (section("Troupe")) {
    number("shards", facts.shards);
    number("shard_restarts", facts.restarts);
  }
  if (section("Keyspace") && facts.keys > 0) {
    word("db0", "keys=" + std::to_string(facts.keys) + ",expires=0,avg_ttl=0");
  }
  reply::bulk(out, text);
}

void append_config(std::span<const setting> settings, arguments args, std::string& out) {
  const auto wanted = [&](const setting& s) {
    return std::ranges::any_of(args.subspan(2),
                               [&](std::string_view pattern) { return glob_match(lower(pattern), s.name); });
  };
  reply::array(out, 2 * static_cast<std::size_t>(std::ranges::count_if(settings, wanted)));
  for (const setting& s : settings) {
    if (wanted(s)) append_field(out, s.name, s.value);
  }
}

}  // namespace kv
