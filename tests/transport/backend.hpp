// The backends of a socket test: threads with the kernel's sockets, or the simulated runtime with its
// network. A test that uses this holds on both, and so shows that they have one interface.
#pragma once

#include "transport/loopback.hpp"

#include <troupe/actors/testkit.hpp>
#include <troupe/transport/sim_network.hpp>

#include <memory>
#include <optional>

namespace troupe_test {

enum class backend { kernel, simulated };

/// The runtime of such a test. `on_either rt(GENERATE(backend::kernel, backend::simulated), {.workers = 1});`
class on_either {
 public:
  // A loopback such as a kernel's: without delay, and a read gets all there is.
  static constexpr troupe::sim::network_options as_a_kernel{
      .loopback = {.latency = troupe::duration::zero(), .jitter = troupe::duration::zero()}, .split = 0};

  explicit on_either(backend where, troupe::runtime_options o = {},
                     const troupe::sim::network_options& n = as_a_kernel) {
    if (where == backend::kernel) {
      real_.emplace(std::move(o));
      return;
    }
    simulated_.emplace(troupe::sim::options{.seed = troupe::testkit::seed_or(1)});
    network_.emplace(*simulated_, n);
    host_.emplace(*network_, "localhost");
    here_.emplace(*host_);
  }

  [[nodiscard]] troupe::runtime& get() { return real_ ? *real_ : *simulated_; }
  [[nodiscard]] bool simulated() const { return simulated_.has_value(); }
  template <class A>
  auto block_on(A&& a) {
    return get().block_on(std::forward<A>(a));
  }
  void spawn(troupe::task<void> t) { get().spawn(std::move(t)); }
  /// Lets arrive what is under way; a kernel's loopback has it there already.
  void settle() {
    if (simulated_) simulated_->advance(1ms);
  }
  operator troupe::runtime&() { return get(); }  // where a test is given a runtime

 private:
  std::optional<troupe::runtime> real_;
  std::optional<troupe::sim::runtime> simulated_;
  std::optional<troupe::sim::network> network_;
  std::optional<troupe::sim::host> host_;
  std::optional<troupe::sim::host::visit> here_;  // for what the test opens outside of tasks
};

}  // namespace troupe_test
