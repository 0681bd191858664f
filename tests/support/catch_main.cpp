// The main function of every test program, compiled once: Catch2 2 brings it as a macro, Catch2 3 as a
// library that tests/CMakeLists.txt links instead.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
