// troupe-kv: a key-value server that Redis clients talk to. Reads its options and its journals, then runs the
// tree of actors until it is told to stop.
//
// Exit status: 0 stopped in order; 1 it could not start, or failed; 2 the options are wrong.
#include "kv/server.hpp"
#include "kv/server_state.hpp"

#include <troupe/actors.hpp>
#include <troupe/transport/tls_context.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <sys/resource.h>

namespace {

struct tls_files {
  std::string certificate;
  std::string key;
  std::string client_ca;
};

struct program_options {
  kv::server_options server;
  std::string bind = "127.0.0.1";
  tls_files tls;
  unsigned workers = 0;
  bool repair = false;
};

/// Fills in `o`; otherwise the exit status.
std::optional<int> parse(int argc, char** argv, program_options& o) {
  CLI::App app("troupe-kv: a key-value server that Redis clients talk to", "troupe-kv");
  kv::server_options& s = o.server;
  std::uint16_t port = 6379;
  int idle_timeout = 0;
  int command_timeout = static_cast<int>(s.command_timeout.count());
  int write_deadline = static_cast<int>(s.write_deadline.count());
  app.add_option("--bind", o.bind, "IP address to listen at")->capture_default_str();
  const auto* const port_option =
      app.add_option("--port", port,
                     "Port to listen at; 0: a free one, see the line READY port=...; closed when --tls-port "
                     "is given alone")
          ->capture_default_str();
  auto* const tls_port_option = app.add_option("--tls-port", s.tls_port, "Port for TLS; 0: a free one");
  auto* const cert_option = app.add_option("--tls-cert,--tls-cert-file", o.tls.certificate,
                                           "PEM file: the server's certificate and its chain")
                                ->needs(tls_port_option);
  auto* const key_option =
      app.add_option("--tls-key,--tls-key-file", o.tls.key, "PEM file: its private key")->needs(cert_option);
  app.add_option("--tls-ca,--tls-ca-cert-file", o.tls.client_ca,
                 "PEM file: clients must show a certificate of these authorities")
      ->needs(tls_port_option);
  tls_port_option->needs(cert_option, key_option);
  app.add_option("--dir", s.shards.directory, "Directory of the journals")->capture_default_str();
  std::string fsync(to_string(s.shards.fsync));
  app.add_option("--fsync", fsync, "When a write is on the disk: always (before its reply), everysec, no")
      ->check(CLI::IsMember({"always", "everysec", "no"}))
      ->capture_default_str();
  app.add_option("--shards", s.shards.count, "Shards; a data directory keeps the number it was made with")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--workers", o.workers, "Worker threads; 0: one for each core")->check(CLI::Range(0, 1024));
  app.add_option("--max-clients", s.max_clients, "Connections at a time, at all ports together")
      ->check(CLI::Range(1, 65000))
      ->capture_default_str();
  app.add_option("--idle-timeout", idle_timeout,
                 "Seconds after which a silent client is cut, each byte starts them anew; 0: never")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option(
         "--command-timeout", command_timeout,
         "Seconds from the first byte of a command to its last, after which the client is cut; 0: no "
         "limit. Short frees the places of clients that dribble; long lets large values come over slow "
         "links: 64 MiB within 30 s need 18 Mbit/s")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--write-deadline", write_deadline, "Seconds a client may take to read its replies")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-bulk", s.limits.max_bulk, "Bytes of one argument")
      ->check(CLI::Range(std::size_t{1024}, std::size_t{512} << 20))
      ->capture_default_str();
  app.add_option("--max-args", s.limits.max_args, "Arguments of one command")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--max-pipeline", s.max_pipeline, "Commands of one client under way at a time")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_flag("--repair", o.repair, "Mend damaged journals, keeping the damaged files, before starting");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (port_option->count() != 0 || tls_port_option->count() == 0) {
    s.port = port;
  } else {
    s.port.reset();
  }
  s.shards.fsync = fsync == "always" ? kv::fsync_policy::always
                   : fsync == "no"   ? kv::fsync_policy::no
                                     : kv::fsync_policy::everysec;
  s.idle_timeout = std::chrono::seconds(idle_timeout);
  s.command_timeout = std::chrono::seconds(command_timeout);
  s.write_deadline = std::chrono::seconds(write_deadline);
  s.shards.max_value = s.limits.max_bulk;
  s.limits.max_command = std::max(s.limits.max_command, 2 * s.limits.max_bulk);
  return std::nullopt;
}

int complain(const std::string& text) {
  std::fprintf(stderr, "troupe-kv: %s\n", text.c_str());
  return 1;
}

/// Lets the process hold a descriptor for each client, as far as the system allows it.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

troupe::result<troupe::tls_context> tls_context(const tls_files& files) {
  using troupe::pem;
  return troupe::tls_context::server(
      {.identity = {.certificate = pem::file(files.certificate), .private_key = pem::file(files.key)},
       .client_ca = files.client_ca.empty() ? pem() : pem::file(files.client_ca)});
}

int serve(program_options o) {
  raise_descriptor_limit();
  // A write that cannot be done is an error that somebody handles, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  o.server.shards.seed = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  const kv::shard_options& shards = o.server.shards;
  const auto bind = troupe::ip_endpoint::parse(o.bind, 0);
  if (!bind) return complain("--bind: " + bind.error().to_string());
  o.server.bind = *bind;
  if (!o.tls.certificate.empty()) {
    auto context = tls_context(o.tls);
    if (!context) return complain(context.error().to_string());
    o.server.tls = std::move(*context);
  }

  const auto lock = kv::directory_lock::acquire(shards.directory);
  if (!lock) return complain(lock.error());
  if (o.repair) {
    const auto repaired = kv::repair_shards(shards);
    if (!repaired) return complain(repaired.error().text);
    for (const std::string& line : *repaired) complain(line);
  }
  const auto server = std::make_shared<kv::server_state>(o.server);
  std::vector<std::string> warnings;
  if (const auto loaded = kv::load_shards(shards, server->loaded, warnings); !loaded) {
    return complain(loaded.error().text +
                    (loaded.error().damaged ? "; start with --repair to keep what is whole" : ""));
  }
  for (const std::string& warning : warnings) complain(warning);

  troupe::system system({.workers = o.workers, .name = "troupe-kv"});
  return system.run(kv::server_tree(server));
}

}  // namespace

int main(int argc, char** argv) {
  program_options options;
  if (const auto status = parse(argc, argv, options)) return *status;
  try {
    return serve(std::move(options));
  } catch (const std::exception& e) {
    return complain(e.what());
  }
}
