// What troupe-netload is asked to do, and what it finds. Owned by main(); one thread.
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
  unsigned depth = 1;     ///< messages under way on each connection
  std::size_t size = 64;  ///< bytes of one message
  double seconds = 2;     ///< measured, after the warm-up
  double warm_up = 0.5;
  pid_t server = 0;  ///< whose CPU time and memory to read; 0: nobody's
};

/// A run that came to nothing; the text says why.
struct failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The JSON object with what was measured, without a line's end. These throw `failed`, and never return when
/// an echo was wrong: a server that errs fast is no faster.
std::string run_tcp(const options& o);
std::string run_udp(const options& o);
std::string run_idle(const options& o);

/// `fields` as one JSON object, with the options of the run in front.
std::string json(const options& o, const std::string& fields);

}  // namespace netload
