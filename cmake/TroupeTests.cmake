# How a test program is built, and how ctest runs it.

# Sanitizers stop at the first report, with symbols: without them a suppression by function name matches nothing.
# The symbolizer must be as new as the compiler.
string(REGEX MATCH "^[0-9]+" compiler_major "${CMAKE_CXX_COMPILER_VERSION}")
find_program(TROUPE_SYMBOLIZER NAMES llvm-symbolizer-${compiler_major} llvm-symbolizer)
set(symbolizer "")
if(TROUPE_SYMBOLIZER AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(symbolizer ":external_symbolizer_path=${TROUPE_SYMBOLIZER}")
endif()
set(TROUPE_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_init_order=1:check_initialization_order=1${symbolizer}"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1${symbolizer}"
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1${symbolizer}"
)

# The flags that a user's own build needs in addition to find_package(troupe) when this build is instrumented.
set(TROUPE_CONSUMER_FLAGS "")
if(TROUPE_SANITIZE)
  string(APPEND TROUPE_CONSUMER_FLAGS " -fsanitize=${TROUPE_SANITIZE}")
endif()
if(TROUPE_COVERAGE)
  string(APPEND TROUPE_CONSUMER_FLAGS " --coverage")
endif()

# troupe_add_program_test(<name> TIMEOUT <seconds> [LABEL <label>] COMMAND <program> <argument>...): any other program
# as a ctest entry, under the same rules for the sanitizers.
function(troupe_add_program_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;LABEL" "COMMAND")
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT "${arg_TIMEOUT}" LABELS "${arg_LABEL}" ENVIRONMENT
                                                                                    "${TROUPE_TEST_ENVIRONMENT}")
endfunction()

# troupe_add_test(<target> [TIMEOUT <seconds>] [ALONE]): a Catch2 program as one ctest entry. -d prints each test
# case as it ends, so that the output of a hang shows where it is. ALONE: ctest runs no other test meanwhile.
function(troupe_add_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "TIMEOUT" "")
  add_test(NAME ${target} COMMAND ${target} --order rand --rng-seed time -d yes)
  set_tests_properties(${target} PROPERTIES TIMEOUT "${arg_TIMEOUT}" ENVIRONMENT "${TROUPE_TEST_ENVIRONMENT}")
  if(arg_ALONE)
    set_tests_properties(${target} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# troupe_tests(<folder> ...): troupe_<folder>_tests from tests/<folder>, if it has sources; the other arguments go to
# troupe_add_test. Tests may include the internal headers of all modules, and the private headers of the module that
# they mirror.
function(troupe_tests folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp")
  if(TROUPE_TWO_WORD_MAILBOX)
    list(FILTER sources EXCLUDE REGEX "/(deadlock[^/]*|forward)_test\\.cpp$") # such a build does not detect cycles
  endif()
  if(NOT sources)
    return()
  endif()
  set(target troupe_${folder}_tests)
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE troupe_test_support)
  target_include_directories(
    ${target} PRIVATE "${PROJECT_SOURCE_DIR}/runtime/internal" "${PROJECT_SOURCE_DIR}/actors/internal")
  if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}/src")
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${folder}/src")
  endif()
  target_precompile_headers(${target} REUSE_FROM troupe_test_support)
  troupe_strict(${target})
  troupe_add_test(${target} ${ARGN})
endfunction()
