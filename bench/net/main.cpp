// troupe-netload: loads an echo server on 127.0.0.1 from one thread and prints its measurements as one line
// of JSON.
//
// Exit status: 0 every byte was echoed, 1 a byte was wrong or missing, 2 the command line was wrong.
#include "load.hpp"
#include "sockets.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <string_view>

namespace netload {

std::string json(const options& o, const std::string& fields) {
  const char* const name = o.what == work::tcp ? "tcp" : o.what == work::udp ? "udp" : "idle";
  return std::string("{\"case\":\"") + name + "\",\"connections\":" + std::to_string(o.connections) +
         ",\"depth\":" + std::to_string(o.depth) + ",\"size\":" + std::to_string(o.size) + "," + fields +
         ",\"ok\":true}";
}

namespace {

constexpr const char* usage =
    "usage: troupe-netload --port P [--case tcp|udp|idle] [--connections N] [--depth N] [--size BYTES]\n"
    "                      [--seconds S] [--warm-up S] [--server PID]\n"
    "Keeps `depth` messages of `size` bytes in flight on each connection and checks every echoed byte.\n"
    "With the server's PID it also prints the server's CPU time for each message. `idle` opens the "
    "connections,\n"
    "uses each once, and prints the server's memory for each and its CPU time while they are idle.\n";

struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
T number(std::string_view option, std::string_view text, T least, T most) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    throw usage_error(std::string(option) + " is '" + std::string(text) + "'; give a number from " +
                      std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

work case_named(std::string_view text) {
  if (text == "tcp") return work::tcp;
  if (text == "udp") return work::udp;
  if (text == "idle") return work::idle;
  throw usage_error("unknown case '" + std::string(text) + "'; use one of: tcp, udp, idle");
}

options parse(int argc, const char* const* argv) {
  options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) throw usage_error(std::string(name) + " needs a value");
    const std::string_view value = argv[i + 1];
    if (name == "--case") {
      o.what = case_named(value);
    } else if (name == "--port") {
      o.port = number<std::uint16_t>(name, value, 1, 65535);
    } else if (name == "--connections") {
      o.connections = number(name, value, 1U, 50'000U);
    } else if (name == "--depth") {
      o.depth = number(name, value, 1U, 4096U);
    } else if (name == "--size") {
      o.size = number<std::size_t>(name, value, 1, 1 << 20);
    } else if (name == "--seconds") {
      o.seconds = number(name, value, 0.01, 3600.0);
    } else if (name == "--warm-up") {
      o.warm_up = number(name, value, 0.0, 3600.0);
    } else if (name == "--server") {
      o.server = number<pid_t>(name, value, 1, 1 << 30);
    } else {
      throw usage_error("unknown option '" + std::string(name) + "'");
    }
  }
  if (o.port == 0) throw usage_error("no port given; add --port P");
  return o;
}

}  // namespace
}  // namespace netload

int main(int argc, char** argv) {
  try {
    const netload::options o = netload::parse(argc, argv);
    netload::raise_descriptor_limit();
    const std::string fields = o.what == netload::work::tcp   ? netload::run_tcp(o)
                               : o.what == netload::work::udp ? netload::run_udp(o)
                                                              : netload::run_idle(o);
    std::puts(netload::json(o, fields).c_str());
    return 0;
  } catch (const netload::usage_error& e) {
    std::fprintf(stderr, "troupe-netload: %s\n%s", e.what(), netload::usage);
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "troupe-netload: %s\n", e.what());
    return 1;
  }
}
