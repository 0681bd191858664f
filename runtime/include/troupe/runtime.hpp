// All public headers of runtime: tasks, time and the pool that runs them.
#pragma once

#include <troupe/runtime/blocking.hpp>
#include <troupe/runtime/both.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/log.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
#include <troupe/runtime/time.hpp>
