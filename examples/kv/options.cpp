// The options of troupe-kv, their ranges and their help texts.
#include "kv/options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>

namespace kv {
namespace {

/// Options that are not of the type in program_options: they are converted when all have been read.
struct raw_options {
  explicit raw_options(const server_options& s)
      : command_timeout(static_cast<int>(s.command_timeout.count())),
        write_deadline(static_cast<int>(s.write_deadline.count())),
        fsync(to_string(s.shards.fsync)) {}
  std::uint16_t port = 6379;
  int idle_timeout = 0;
  int command_timeout;
  int write_deadline;
  std::string fsync;
};

void add_ports(CLI::App& app, program_options& o, raw_options& raw) {
  app.add_option("--bind", o.bind, "IP address to listen on")->capture_default_str();
  app.add_option(
         "--port", raw.port,
         "Port to listen on; 0: a free one, printed as READY port=N. Not opened when --tls-port is given "
         "without --port")
      ->capture_default_str();
  auto* const tls_port =
      app.add_option("--tls-port", o.server.tls_port, "Port to listen on for TLS; 0: a free one");
  auto* const certificate = app.add_option("--tls-cert,--tls-cert-file", o.tls.certificate,
                                           "PEM file: the server's certificate and its chain")
                                ->needs(tls_port);
  auto* const key = app.add_option("--tls-key,--tls-key-file", o.tls.key, "PEM file: its private key");
  key->needs(certificate);
  app.add_option("--tls-ca,--tls-ca-cert-file", o.tls.client_ca,
                 "PEM file: require clients to present a certificate issued by one of these authorities")
      ->needs(tls_port);
  tls_port->needs(certificate, key);
}

void add_storage(CLI::App& app, program_options& o, raw_options& raw) {
  shard_options& shards = o.server.shards;
  app.add_option("--dir", shards.directory, "Directory of the journals")->capture_default_str();
  app.add_option(
         "--fsync", raw.fsync,
         "When writes are synced to disk: always (before the reply), everysec (within about a second), "
         "no (left to the kernel)")
      ->check(CLI::IsMember({"always", "everysec", "no"}))
      ->capture_default_str();
  app.add_option("--shards", shards.count, "Shards; fixed for a data directory once it is created")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag(
      "--repair", o.repair,
      "Before starting, rewrite damaged journals from their valid records; the damaged files are kept");
}

void add_limits(CLI::App& app, program_options& o, raw_options& raw) {
  server_options& s = o.server;
  app.add_option("--workers", o.workers, "Worker threads; 0: one for each core")->check(CLI::Range(0, 1024));
  app.add_option("--max-clients", s.max_clients, "Connections at a time, on all ports together")
      ->check(CLI::Range(1, 65000))
      ->capture_default_str();
  app.add_option("--idle-timeout", raw.idle_timeout,
                 "Disconnect a client that is idle for N seconds (0 = never)")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option(
         "--command-timeout", raw.command_timeout,
         "Disconnect a client that takes more than N seconds from the first byte of a command to its last "
         "(0 = no limit). It bounds how long a slow sender can hold a connection, and how large a value a "
         "slow link can carry: 64 MiB within 30 s need 18 Mbit/s")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--write-deadline", raw.write_deadline,
                 "Disconnect a client that takes more than N seconds to read its replies")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-bulk", s.limits.max_bulk, "Largest argument, in bytes")
      ->check(CLI::Range(std::size_t{1024}, std::size_t{512} << 20))
      ->capture_default_str();
  app.add_option("--max-args", s.limits.max_args, "Most arguments of one command")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--max-pipeline", s.max_pipeline, "Most commands of one client in progress at a time")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

void convert(const CLI::App& app, const raw_options& raw, server_options& s) {
  if (app.count("--port") != 0 || app.count("--tls-port") == 0) {
    s.port = raw.port;
  } else {
    s.port.reset();
  }
  s.shards.fsync = raw.fsync == "always" ? fsync_policy::always
                   : raw.fsync == "no"   ? fsync_policy::no
                                         : fsync_policy::everysec;
  s.idle_timeout = std::chrono::seconds(raw.idle_timeout);
  s.command_timeout = std::chrono::seconds(raw.command_timeout);
  s.write_deadline = std::chrono::seconds(raw.write_deadline);
  s.shards.max_value = s.limits.max_bulk;
  s.limits.max_command = std::max(s.limits.max_command, 2 * s.limits.max_bulk);
}

}  // namespace

std::optional<int> parse_options(int argc, char** argv, program_options& o) {
  CLI::App app("troupe-kv: a key-value server for Redis clients", "troupe-kv");
  raw_options raw(o.server);
  add_ports(app, o, raw);
  add_storage(app, o, raw);
  add_limits(app, o, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  convert(app, raw, o.server);
  return std::nullopt;
}

}  // namespace kv
