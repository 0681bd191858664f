// Command line, result line and measuring tools of the benchmark programs; see harness.hpp.
#include "harness/harness.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace bench {
namespace {

constexpr unsigned max_workers = 256;
constexpr double max_scale = 1000;
constexpr double warm_up_fraction = 0.1;

struct options {
  std::string_view case_name;
  unsigned workers = 0;
  double scale = 1;
  bool list = false;
  bool help = false;
};

/// A command line that cannot be run; what() is one sentence for the user.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

template <typename Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

unsigned parse_workers(std::string_view text) {
  const auto workers = parse<unsigned>(text);
  if (!workers || *workers < 1 || *workers > max_workers)
    throw usage_error("--workers is " + quoted(text) + "; give a whole number from 1 to " +
                      std::to_string(max_workers));
  return *workers;
}

double parse_scale(std::string_view text) {
  const auto scale = parse<double>(text);
  if (!scale || !(*scale > 0) || *scale > max_scale)
    throw usage_error("--scale is " + quoted(text) + "; give a number above 0 and at most " +
                      std::to_string(static_cast<int>(max_scale)) +
                      ", e.g. 0.1 for a tenth of the operations");
  return *scale;
}

options parse_options(std::span<const char* const> arguments) {
  options parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--list") {
      parsed.list = true;
    } else if (name == "--help" || name == "-h") {
      parsed.help = true;
    } else if (name == "--case" || name == "--workers" || name == "--scale") {
      if (++i == arguments.size()) throw usage_error(std::string(name) + " needs a value");
      const std::string_view value = arguments[i];
      if (name == "--case") parsed.case_name = value;
      if (name == "--workers") parsed.workers = parse_workers(value);
      if (name == "--scale") parsed.scale = parse_scale(value);
    } else {
      throw usage_error("unknown argument " + quoted(name) + "; see --help");
    }
  }
  return parsed;
}

const bench_case& find_case(std::span<const bench_case> cases, const options& wanted) {
  if (wanted.case_name.empty()) throw usage_error("no case given; add --case NAME (--list shows the names)");
  if (wanted.workers == 0) throw usage_error("no number of workers given; add --workers N");
  const auto found = std::ranges::find(cases, wanted.case_name, &bench_case::name);
  if (found != cases.end()) return *found;
  std::string names;
  for (const bench_case& known : cases) names.append(names.empty() ? "" : ", ").append(known.name);
  throw usage_error("unknown case " + quoted(wanted.case_name) + "; use one of: " + names);
}

/// Fixed notation without trailing zeros, for people and scripts.
std::string decimal(double value, int digits) {
  char text[512];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits);
  if (error != std::errc{}) throw std::runtime_error("a figure is too long to print");
  std::string printed(text, end);
  if (printed.find('.') == std::string::npos) return printed;
  printed.erase(printed.find_last_not_of('0') + 1);
  if (printed.ends_with('.')) printed.pop_back();
  return printed;
}

std::string json_line(std::string_view name, unsigned workers, const outcome& result) {
  std::string line = "{\"case\":\"" + std::string(name) + "\",\"workers\":" + std::to_string(workers);
  for (const metric& figure : result.metrics)
    line.append(",\"").append(figure.key).append("\":").append(decimal(figure.value, 3));
  line.append(",\"ops\":").append(std::to_string(result.ops));
  line.append(",\"seconds\":").append(decimal(result.seconds, 6));
  line.append(",\"ok\":").append(result.ok ? "true" : "false").append("}");
  return line;
}

void print_usage(std::string_view program, std::ostream& out) {
  out << "usage: " << program << " --case NAME --workers N [--scale X]\n"
      << "       " << program << " --list\n"
      << "Runs one benchmark case and prints its result as one line of JSON.\n"
      << "  --case NAME    which case; --list shows them\n"
      << "  --workers N    worker threads of the system under test, 1 to " << max_workers << '\n'
      << "  --scale X      multiplies the number of operations (default 1)\n"
      << "Exit status: 0 the result was right, 1 it was not, 2 the command line was wrong.\n";
}

int run_case(std::string_view program, const bench_case& chosen, const options& wanted) {
  if (chosen.warm == warm_up::smaller_run) {
    const outcome warmed = chosen.run(wanted.workers, wanted.scale * warm_up_fraction);
    if (!warmed.ok) {
      std::cerr << program << ": " << chosen.name << ": wrong result in the warm-up: " << warmed.why << '\n';
      std::cout << json_line(chosen.name, wanted.workers, warmed) << std::endl;
      return 1;
    }
  }
  const outcome result = chosen.run(wanted.workers, wanted.scale);
  std::cout << json_line(chosen.name, wanted.workers, result) << std::endl;
  if (!result.ok) std::cerr << program << ": " << chosen.name << ": wrong result: " << result.why << '\n';
  return result.ok ? 0 : 1;
}

/// Field `index` of /proc/self/statm, in bytes.
std::uint64_t statm_bytes(int index) {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int i = 0; i <= index; ++i) statm >> pages;
  if (!statm)
    throw std::runtime_error("cannot read /proc/self/statm, which this case needs to measure memory");
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

outcome&& outcome::expect(std::string_view what, std::uint64_t wanted, std::uint64_t got) && {
  if (failed_) return std::move(*this);
  failed_ = wanted != got;
  ok = !failed_;
  why = failed_ ? std::string(what) + ": expected " + std::to_string(wanted) + ", got " + std::to_string(got)
                : "";
  return std::move(*this);
}

outcome&& outcome::also(std::string_view key, double value) && {
  metrics.push_back({key, value});
  return std::move(*this);
}

outcome ns_per_op(std::uint64_t ops, double seconds) {
  outcome result;
  result.ops = ops;
  result.seconds = seconds;
  result.metrics.push_back({"ns_per_op", seconds * 1e9 / static_cast<double>(ops)});
  return result;
}

outcome repeated(std::uint64_t times, std::uint64_t ops_each,
                 const std::function<double(std::uint64_t& handled)>& once) {
  double seconds = 0;
  std::uint64_t handled = 0;
  for (std::uint64_t i = 0; i < times; ++i) seconds += once(handled);
  return ns_per_op(times * ops_each, seconds).expect("messages handled", times * ops_each, handled);
}

int run_program(std::string_view program, std::span<const bench_case> cases, int argc,
                const char* const* argv) {
  try {
    const std::span<const char* const> all(argv, static_cast<std::size_t>(std::max(argc, 0)));
    const options wanted = parse_options(all.empty() ? all : all.subspan(1));
    if (wanted.help) {
      print_usage(program, std::cout);
      return 0;
    }
    if (wanted.list) {
      for (const bench_case& known : cases) std::cout << known.name << "\t" << known.one_operation << '\n';
      return 0;
    }
    return run_case(program, find_case(cases, wanted), wanted);
  } catch (const usage_error& error) {
    std::cerr << program << ": " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << program << ": the case failed: " << error.what() << '\n';
    return 1;
  }
}

double percentile(std::vector<double> samples, double percent) {
  const double exact_rank = std::ceil(percent / 100 * static_cast<double>(samples.size()));
  const auto rank = std::clamp<std::size_t>(static_cast<std::size_t>(exact_rank), 1, samples.size());
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(rank - 1);
  std::ranges::nth_element(samples, nth);
  return *nth;
}

std::uint64_t resident_bytes() {
  return statm_bytes(1);
}

// Not ru_maxrss: Linux keeps that one over exec, so it would start at the size of the parent process.
std::uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  throw std::runtime_error("cannot read VmHWM in /proc/self/status, which this case needs to measure memory");
}

double process_cpu_seconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0)
    throw std::runtime_error("getrusage failed; cannot measure CPU time");
  const auto in_seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

}  // namespace bench
