// All of Troupe.
#pragma once

#include <troupe/actors.hpp>
#include <troupe/transport.hpp>
