// The errors of a buffered stream that can no longer be written.
#include <troupe/transport/buffered.hpp>

namespace troupe::detail {

error write_refused(writing state) {
  if (state == writing::failed) {
    return {make_error_code(errc::closed),
            "an earlier write on this stream failed half-way, so nothing sensible can follow: close it"};
  }
  return {make_error_code(errc::invalid_argument),
          "another write on this stream is under way, or was stopped half-way: await it first, or close it"};
}

}  // namespace troupe::detail
