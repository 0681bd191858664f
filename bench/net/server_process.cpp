// Reads schedstat and smaps_rollup of the server.
#include "server_process.hpp"

#include "load.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace netload {

namespace {

[[noreturn]] void gone(pid_t pid) {
  throw failed("the server, process " + std::to_string(pid) + ", has ended, or /proc does not show it");
}

std::string folder_of(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

}  // namespace

std::uint64_t cpu_ns(pid_t pid) {
  if (pid == 0) return 0;
  std::uint64_t sum = 0;
  std::error_code failure;
  for (const auto& thread : std::filesystem::directory_iterator(folder_of(pid) + "/task", failure)) {
    std::uint64_t ran = 0;
    if (std::ifstream(thread.path() / "schedstat") >> ran) sum += ran;
  }
  if (failure || sum == 0) gone(pid);
  return sum;
}

std::uint64_t resident_bytes(pid_t pid) {
  if (pid == 0) return 0;
  // Not statm, which may lag by up to 64 pages for each thread.
  std::ifstream rollup(folder_of(pid) + "/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    std::uint64_t kib = 0;
    if (word == "Rss:" && rollup >> kib) return kib * 1024;
  }
  gone(pid);
}

}  // namespace netload
