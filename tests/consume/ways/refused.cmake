# The configurations that CMake refuses, with one line that says what to do.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
set(try "${CMAKE_COMMAND}" -G "${GENERATOR}" --fresh -S "${TROUPE}" -B "${work}/build")
set(this "-DCMAKE_CXX_COMPILER=${COMPILER}")
set(advice "Install clang-19 (Debian, Ubuntu: apt-get install clang-19) or GCC 13, and configure again with --fresh")

# This compiler stands in for those that are too old: by its predefined macros it claims to be another.
fails_with("Troupe needs GCC 13 or Clang 18, and this is GCC 12." ${try} ${this}
           "-DCMAKE_CXX_FLAGS=-U__clang__ -U__GNUC__ -D__GNUC__=12 -w")
fails_with("which destroys temporaries in co_await expressions twice. ${advice}" ${try} ${this}
           "-DCMAKE_CXX_FLAGS=-U__clang__ -U__GNUC__ -D__GNUC__=12 -w")
fails_with("Troupe needs Clang 18 or GCC 13, and this is Clang 17." ${try} ${this}
           "-DCMAKE_CXX_FLAGS=-U__clang_major__ -D__clang__ -D__clang_major__=17 -D__clang_minor__=0 \
-D__clang_patchlevel__=0 -w")
file(WRITE "${work}/old/expected" "namespace std {}\n")
fails_with("Troupe needs std::expected (libstdc++ 12 or libc++ 16)" ${try} ${this} "-DCMAKE_CXX_FLAGS=-I${work}/old")

fails_with("Troupe needs C++23, and CMAKE_CXX_STANDARD is 20. Configure again with -DCMAKE_CXX_STANDARD=23" ${try}
           ${this} -DCMAKE_CXX_STANDARD=20)
fails_with("Troupe needs C++23, and CMAKE_CXX_FLAGS has -std=c++20" ${try} ${this} -DCMAKE_CXX_FLAGS=-std=c++20)

foreach(missing IN ITEMS "Threads|libc6-dev" "OpenSSL|libssl-dev" "CLI11|libcli11-dev"
                         "Catch2|catch2" "rapidcheck|librapidcheck-dev")
  string(REGEX MATCH "(.*)[|](.*)" _ "${missing}")
  set(debian "${CMAKE_MATCH_2}")
  set(name "${CMAKE_MATCH_1}")
  execute_process(COMMAND ${try} ${this} -DCMAKE_DISABLE_FIND_PACKAGE_${name}=ON RESULT_VARIABLE status OUTPUT_QUIET
                  ERROR_VARIABLE out)
  string(REGEX MATCH "Troupe needs ${name} [^\n]*which is not found. Install it: Debian and Ubuntu ${debian}[^\n]*" line
               "${out}")
  message(STATUS "refused as it should be: ${line}")
  expect(NOT status EQUAL 0 AND line)
endforeach()
