// The faults of a test_system, put into the actors of its system as they are made.
#pragma once

#include <troupe/actors/system_core.hpp>

#include <map>

namespace troupe::testkit::detail {

/// Owned by the test_system; on its thread. An actor made under it gets a behaviour that calls before() for
/// each message; actors of other systems pay nothing for that.
class faults final : public troupe::detail::spawn_hooks {
 public:
  explicit faults(bool capacity_one) noexcept : capacity_one_(capacity_one) {}

  void crash_on(const troupe::detail::cell& who, unsigned nth) { left_[&who] = nth; }
  const troupe::detail::behaviour& prepare(const troupe::detail::behaviour& b, spawn_options& o) override;

 private:
  static void receive(troupe::detail::cell& c, troupe::detail::mail& m);
  void before(const troupe::detail::cell& c);

  bool capacity_one_;
  std::map<const troupe::detail::cell*, unsigned> left_;  // messages until the crash
};

}  // namespace troupe::testkit::detail
