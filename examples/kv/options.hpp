// The command line of troupe-kv. Used by main only.
#pragma once

#include "kv/server_state.hpp"

#include <optional>
#include <string>

namespace kv {

struct tls_files {
  std::string certificate;
  std::string key;
  std::string client_ca;
};

struct program_options {
  server_options server;
  std::string bind = "127.0.0.1";
  tls_files tls;
  unsigned workers = 0;
  bool repair = false;
};

/// Fills in `o`. Otherwise returns the exit status: 0 after --help, 2 for wrong options, which it has
/// reported.
std::optional<int> parse_options(int argc, char** argv, program_options& o);

}  // namespace kv
