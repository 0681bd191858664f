// The options and the cases of troupe-netload. Owned by main(); one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <sys/types.h>

namespace netload {

enum class work { tcp, udp, idle };

struct options {
  work what = work::tcp;
  std::uint16_t port = 0;
  unsigned connections = 50;
  unsigned depth = 1;     ///< messages in flight on each connection
  std::size_t size = 64;  ///< bytes of one message
  double seconds = 2;     ///< of the measurement, after the warm-up
  double warm_up = 0.5;
  pid_t server = 0;  ///< the process whose CPU time and memory are read; 0: none
};

/// A run without a result; the text gives the cause.
struct failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Each runs its case and returns the measurements as a JSON object without a newline. Throws `failed`, also
/// when a single echo was wrong: a server that errs fast is not faster.
std::string run_tcp(const options& o);
std::string run_udp(const options& o);
std::string run_idle(const options& o);

/// One JSON object of the options of the run and `fields`.
std::string json(const options& o, const std::string& fields);

}  // namespace netload
