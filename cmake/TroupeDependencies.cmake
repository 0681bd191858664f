# Finds the dependencies. Where one is missing, a one-line error says what to install. Nothing is downloaded.

# troupe_require(<purpose> <debian> <vcpkg> <conan> <arguments of find_package>...)
macro(troupe_require what debian vcpkg conan name)
  set(TROUPE_${name}_ADVICE "Debian and Ubuntu ${debian}, vcpkg ${vcpkg}, Conan ${conan}") # also for troupe-config
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    troupe_refuse("Troupe needs ${name} (${what}), which is not found. Install it: ${TROUPE_${name}_ADVICE}")
  endif()
endmacro()

troupe_require("threads" "libc6-dev" "-" "-" Threads)
troupe_require("3.0 or newer; TLS" "libssl-dev" "openssl" "openssl/3.2.2" OpenSSL 3.0)

if(TROUPE_BUILD_EXAMPLES)
  troupe_require("command lines of the examples; or switch them off: -DTROUPE_BUILD_EXAMPLES=OFF" "libcli11-dev" "cli11"
                 "cli11/2.3.2" CLI11 CONFIG)
endif()
if(TROUPE_BUILD_TESTS)
  troupe_require("2.13 or 3; or switch the tests off: -DTROUPE_BUILD_TESTS=OFF" "catch2" "catch2" "catch2/2.13.10"
                 Catch2 CONFIG)
  troupe_require("property tests; or switch the tests off: -DTROUPE_BUILD_TESTS=OFF" "librapidcheck-dev" "rapidcheck"
                 "rapidcheck/cci.20230815" rapidcheck CONFIG)
  # It uses std::aligned_storage, which C++23 deprecates. Clang warns wherever one of its templates is instantiated.
  set_property(TARGET rapidcheck APPEND PROPERTY INTERFACE_COMPILE_OPTIONS
                                                 $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
  # The system's libCatch2.a may be built by a newer GCC than the one in use (Debian 13: GCC 14), and then needs that
  # GCC's libstdc++. Programs load that one, but GCC 13 links with its own, so it is named here.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libstdc++.so.6 OUTPUT_VARIABLE runtime_library
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(EXISTS "${runtime_library}")
      set_property(TARGET Catch2::Catch2 APPEND PROPERTY INTERFACE_LINK_LIBRARIES "${runtime_library}")
    endif()
  endif()
endif()
