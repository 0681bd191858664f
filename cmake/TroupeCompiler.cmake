# The compilers that are accepted, the flags for all our own code, and the tools that speed builds up.
include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)

# troupe_refuse(<text>...): ends the configuration with a one-line error. The leading space keeps CMake from wrapping.
function(troupe_refuse)
  message(FATAL_ERROR " ${ARGV0}${ARGV1}${ARGV2}") # by number: the text may have semicolons
endfunction()

string(CONCAT TROUPE_COMPILER_ADVICE "Install clang-19 (Debian, Ubuntu: apt-get install clang-19) or GCC 13, and "
                                     "configure again with --fresh -DCMAKE_CXX_COMPILER=clang++-19")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  troupe_refuse("Troupe needs GCC 13 or Clang 18, and this is GCC ${CMAKE_CXX_COMPILER_VERSION}, which destroys "
                "temporaries in co_await expressions twice. " "${TROUPE_COMPILER_ADVICE}")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 18)
  troupe_refuse("Troupe needs Clang 18 or GCC 13, and this is Clang ${CMAKE_CXX_COMPILER_VERSION}. "
                "${TROUPE_COMPILER_ADVICE}")
endif()

# Inside another project, only the targets that link Troupe are raised to C++23, by the compile feature.
set(old_standard "^(98|03|11|14|17|20)$")
if(PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_STANDARD MATCHES "${old_standard}")
  troupe_refuse("Troupe needs C++23, and CMAKE_CXX_STANDARD is ${CMAKE_CXX_STANDARD}. Configure again with "
                "-DCMAKE_CXX_STANDARD=23, or --fresh and without it")
elseif(PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_FLAGS MATCHES "-std=[a-z]+\\+\\+(98|03|0x|11|1y|14|1z|17|2a|20)")
  troupe_refuse("Troupe needs C++23, and CMAKE_CXX_FLAGS has ${CMAKE_MATCH_0}. Configure again with --fresh and "
                "without it: CMake adds what is needed")
endif()
if(NOT CMAKE_CXX_STANDARD OR CMAKE_CXX_STANDARD MATCHES "${old_standard}")
  set(CMAKE_CXX_STANDARD 23)
endif()
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# Options that our headers need, and therefore their users. Clang 18 implements the concepts that libstdc++'s <expected>
# requires, but defines __cpp_concepts with the older value. A user's compiler may differ from the one that built the
# library.
set(TROUPE_IS_CLANG_18 "$<AND:$<CXX_COMPILER_ID:Clang>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,19>>")
set(TROUPE_PUBLIC_OPTIONS "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  set(TROUPE_PUBLIC_OPTIONS -Wno-builtin-macro-redefined -D__cpp_concepts=202002L)
endif()

list(JOIN TROUPE_PUBLIC_OPTIONS " " CMAKE_REQUIRED_FLAGS)
check_cxx_source_compiles(
  "#include <coroutine>
   #include <expected>
   int main() { return std::expected<int, int>(0).value(); }"
  TROUPE_HAVE_EXPECTED)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT TROUPE_HAVE_EXPECTED)
  troupe_refuse("Troupe needs std::expected (libstdc++ 12 or libc++ 16), and ${CMAKE_CXX_COMPILER} finds an older "
                "standard library. " "${TROUPE_COMPILER_ADVICE}")
endif()

# Everything below applies where Troupe is the top-level project; inside another project, that project decides.
if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(TROUPE_CCACHE ccache)
  if(TROUPE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    # The sloppiness lets ccache handle precompiled headers. NOHASHDIR shares the objects between build folders.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros"
                                    CCACHE_NOHASHDIR=1 "${TROUPE_CCACHE}")
  endif()
  check_linker_flag(CXX -fuse-ld=lld TROUPE_HAVE_LLD)
  if(TROUPE_HAVE_LLD)
    add_link_options(-fuse-ld=lld)
  endif()

  # Sanitizers and coverage change every object, so they are set for the whole build.
  if(TROUPE_SANITIZE)
    set(CMAKE_REQUIRED_FLAGS "-fsanitize=${TROUPE_SANITIZE}")
    check_cxx_source_compiles("int main() {}" TROUPE_HAVE_SANITIZER)
    unset(CMAKE_REQUIRED_FLAGS)
    if(NOT TROUPE_HAVE_SANITIZER)
      troupe_refuse("${CMAKE_CXX_COMPILER} cannot link with -fsanitize=${TROUPE_SANITIZE}: its run-time library "
                    "is missing (for clang-19 on Debian and Ubuntu: libclang-rt-19-dev).")
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND TROUPE_SANITIZE MATCHES "thread")
      # GCC warns that ThreadSanitizer does not see fences; the code is correct all the same.
      add_compile_options(-Wno-tsan)
    endif()
    add_compile_options(-fsanitize=${TROUPE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${TROUPE_SANITIZE})
  endif()
  if(TROUPE_BUILD_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      troupe_refuse("TROUPE_BUILD_FUZZ needs Clang: libFuzzer is part of it. " "${TROUPE_COMPILER_ADVICE}")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
  if(TROUPE_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
  endif()
endif()

# troupe_strict(<target>): turns on the warnings that our own code must not cause.
function(troupe_strict target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                           $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
                                           $<$<BOOL:${TROUPE_WERROR}>:-Werror>)
endfunction()
