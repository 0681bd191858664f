// error: the text, the path and the causes that it keeps of an exception.
#include "support/catch.hpp"

#include <troupe/runtime/error.hpp>

using troupe::errc;
using troupe::error;
using troupe::troupe_error;

TEST_CASE("error::from_exception: adds the path to a troupe_error, and keeps its text and its causes") {
  const error inner(make_error_code(errc::timeout), "inner", "/below");
  const error outer(make_error_code(errc::actor_failed), "outer", {}, inner);
  const error seen = error::from_exception(std::make_exception_ptr(troupe_error(outer)), "/here");
  CHECK(seen.path() == "/here");
  CHECK(seen.text() == "outer");
  REQUIRE(seen.cause() != nullptr);
  CHECK(seen.cause()->code() == make_error_code(errc::timeout));
  CHECK(seen.to_string() == "/here: outer; caused by /below: inner");
}

TEST_CASE("error::from_exception: a troupe_error with a path stays as it is") {
  const error inner(make_error_code(errc::timeout), "inner", "/below");
  const error outer(make_error_code(errc::actor_failed), "outer", "/there", inner);
  const error seen = error::from_exception(std::make_exception_ptr(troupe_error(outer)), "/here");
  CHECK(seen.to_string() == "/there: outer; caused by /below: inner");
}
