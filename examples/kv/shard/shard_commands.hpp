// The functions behind the command table that run in a shard, for commands.cpp only.
#pragma once

#include "kv/commands.hpp"

namespace kv::run {

void append(shard_context&, arguments, std::string&);
void dbsize(shard_context&, arguments, std::string&);
void decr(shard_context&, arguments, std::string&);
void decrby(shard_context&, arguments, std::string&);
void del(shard_context&, arguments, std::string&);
void exists(shard_context&, arguments, std::string&);
void expire(shard_context&, arguments, std::string&);
void flushall(shard_context&, arguments, std::string&);
void get(shard_context&, arguments, std::string&);
void getset(shard_context&, arguments, std::string&);
void incr(shard_context&, arguments, std::string&);
void incrby(shard_context&, arguments, std::string&);
void keys(shard_context&, arguments, std::string&);
void mget(shard_context&, arguments, std::string&);
void mset(shard_context&, arguments, std::string&);
void persist(shard_context&, arguments, std::string&);
void pexpire(shard_context&, arguments, std::string&);
void pttl(shard_context&, arguments, std::string&);
void scan(shard_context&, arguments, std::string&);
void set(shard_context&, arguments, std::string&);
void setnx(shard_context&, arguments, std::string&);
void strlen(shard_context&, arguments, std::string&);
void ttl(shard_context&, arguments, std::string&);
void type(shard_context&, arguments, std::string&);

}  // namespace kv::run
