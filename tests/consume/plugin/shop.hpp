// What a user's shared library offers: an actor, by its ref and messages. All is built with
// -fvisibility=hidden, so the messages are marked: a type that crosses libraries has to be visible, or each
// library has a type of its own.
#pragma once

#include <troupe/actors.hpp>

#include <string>

#define SHOP_API [[gnu::visibility("default")]]

namespace shop {

struct SHOP_API put {
  std::string ware;
};
struct SHOP_API count {
  using reply = int;
};
struct SHOP_API close{};

SHOP_API troupe::ref<put, count, close> open(troupe::system& sys);

}  // namespace shop
