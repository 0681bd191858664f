// The tree of a whole server: its shards, then the ports that clients come in at.
#pragma once

#include "kv/server_state.hpp"

#include <troupe/actors.hpp>

#include <memory>

namespace kv {

/// To be run by a system, once. Prints READY with the ports when all of it has started. A port that cannot
/// be had keeps the tree from starting.
troupe::supervisor server_tree(const std::shared_ptr<server_state>& server);

}  // namespace kv
