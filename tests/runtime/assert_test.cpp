// TROUPE_ASSERT: its effect where assertions are on, and that it has none where they are off.
#include "support/catch.hpp"

#include <troupe/runtime/detail/assert.hpp>

#include <signal.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct last_words {
  int signal = 0;
  std::string text;
};

// Runs `f` in a child process; returns the signal that ended it, and its output on standard error.
template <class F>
last_words end_of(F f) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);  // not the test program's own, which would report a failed test
    ::dup2(pipe[1], STDERR_FILENO);
    f();
    ::_exit(0);
  }
  ::close(pipe[1]);
  last_words said;
  char bytes[512];
  for (ssize_t got = 0; (got = ::read(pipe[0], bytes, sizeof bytes)) > 0;) {
    said.text.append(bytes, static_cast<std::size_t>(got));
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  said.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return said;
}

}  // namespace

#if defined(TROUPE_ASSERTIONS)
TEST_CASE("assert: a condition that is false ends the process with its sentence, file and line") {
  const last_words said = end_of([] { TROUPE_ASSERT(1 + 1 == 3, "one and one make three"); });
  CHECK(said.signal == SIGABRT);
  CHECK(said.text.find("one and one make three") != std::string::npos);
  CHECK(said.text.find("assert_test.cpp:") != std::string::npos);
}

TEST_CASE("assert: a condition that is true is evaluated once and has no effect") {
  int evaluated = 0;
  TROUPE_ASSERT(++evaluated == 1, "it counts");
  CHECK(evaluated == 1);
}
#else
TEST_CASE("assert: where assertions are off, nothing is evaluated") {
  int evaluated = 0;
  TROUPE_ASSERT(++evaluated == 1, "it counts");
  CHECK(evaluated == 0);
}
#endif
