// troupe-kv: a key-value server for Redis clients. Reads its options and its journals, then runs the tree of
// actors until SIGINT, SIGTERM or SHUTDOWN stops it.
//
// Exit status: 0 stopped in order; 1 it could not start, or failed; 2 the options are wrong.
#include "kv/options.hpp"
#include "kv/server.hpp"
#include "kv/server_state.hpp"

#include <troupe/actors.hpp>
#include <troupe/transport/tls_context.hpp>

#include <csignal>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace {

void report(const std::string& text) {
  std::fprintf(stderr, "troupe-kv: %s\n", text.c_str());
}

/// The exit status.
int fail(const std::string& text) {
  report(text);
  return 1;
}

/// Lets the process hold a descriptor for each client, as far as the system allows it.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

troupe::result<troupe::tls_context> tls_context(const kv::tls_files& files) {
  using troupe::pem;
  return troupe::tls_context::server(
      {.identity = {.certificate = pem::file(files.certificate), .private_key = pem::file(files.key)},
       .client_ca = files.client_ca.empty() ? pem() : pem::file(files.client_ca)});
}

int serve(kv::program_options o) {
  raise_descriptor_limit();
  // A failed write is an error that its caller handles; it does not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  o.server.shards.seed = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  const kv::shard_options& shards = o.server.shards;
  const auto bind = troupe::ip_endpoint::parse(o.bind, 0);
  if (!bind) return fail("--bind: " + bind.error().to_string());
  o.server.bind = *bind;
  if (!o.tls.certificate.empty()) {
    auto context = tls_context(o.tls);
    if (!context) return fail(context.error().to_string());
    o.server.tls = std::move(*context);
  }

  const auto lock = kv::directory_lock::acquire(shards.directory);
  if (!lock) return fail(lock.error());
  if (o.repair) {
    const auto repaired = kv::repair_shards(shards);
    if (!repaired) return fail(repaired.error().text);
    for (const std::string& line : *repaired) report(line);
  }
  const auto server = std::make_shared<kv::server_state>(o.server);
  std::vector<std::string> warnings;
  if (const auto loaded = kv::load_shards(shards, server->loaded, warnings); !loaded)
    return fail(loaded.error().text);
  for (const std::string& warning : warnings) report(warning);

  troupe::system system({.workers = o.workers, .name = "troupe-kv"});
  return system.run(kv::server_tree(server));
}

}  // namespace

int main(int argc, char** argv) {
  kv::program_options options;
  if (const auto status = kv::parse_options(argc, argv, options)) return *status;
  try {
    return serve(std::move(options));
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}
