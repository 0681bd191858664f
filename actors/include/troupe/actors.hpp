// All of actors that a program needs to spawn, send and supervise. <troupe/actors/inspect.hpp>, to look at
// a running tree, and <troupe/actors/testkit.hpp> are extra: they cost more to compile.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/context.hpp>
#include <troupe/actors/dead_letter.hpp>
#include <troupe/actors/exit_reason.hpp>
#include <troupe/actors/forward.hpp>
#include <troupe/actors/inbox.hpp>
#include <troupe/actors/message.hpp>
#include <troupe/actors/named_ref.hpp>
#include <troupe/actors/options.hpp>
#include <troupe/actors/owned_task.hpp>
#include <troupe/actors/pending_reply.hpp>
#include <troupe/actors/ref.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/system.hpp>
#include <troupe/actors/until_stopped.hpp>
#include <troupe/runtime/both.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/task.hpp>
