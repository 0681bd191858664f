# For the scripts of this folder. From tests.cmake: BUILD and TROUPE (the build and the sources under test), GENERATOR,
# COMPILER, FLAGS (of a user of an instrumented build), SAME_BUILD (options that produce the same objects), CCACHE.
cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_FILE PARENT_PATH here)
set(consume "${TROUPE}/tests/consume")
set(prefix "${BUILD}/consume/prefix") # consume.install puts it there
cmake_path(GET CMAKE_SCRIPT_MODE_FILE STEM way)
set(work "${BUILD}/consume/${way}")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")
if(CCACHE)
  set(ENV{CCACHE_NOHASHDIR} 1)
  list(APPEND SAME_BUILD "-DCMAKE_CXX_COMPILER_LAUNCHER=${CCACHE}")
endif()

# The folder where the libraries are compiled again: as deep as BUILD, because ccache may see only relative paths.
set(again "${BUILD}-${way}")

# run(<program> <argument>...): must succeed.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# output_of(<variable> <program> <argument>...): must succeed, too.
function(output_of variable)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${variable} "${out}" PARENT_SCOPE)
endfunction()

# fails_with(<text> <program> <argument>...): must fail, and its output must contain the text.
function(fails_with text)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  string(FIND "${out}" "${text}" at)
  if(status EQUAL 0 OR at EQUAL -1)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nexpected to fail with: ${text}\nexit status ${status}, output:\n${out}")
  endif()
  message(STATUS "refused as it should be: ${text}")
endfunction()

function(expect condition)
  if(NOT (${ARGV}))
    message(FATAL_ERROR "expected: ${ARGV}")
  endif()
endfunction()

set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}")

# build_user(<project> <argument of cmake>...): configures and builds a user's project in ${work}/<project>.
function(build_user project)
  run(${configure} -S "${consume}/${project}" -B "${work}/${project}" -DCMAKE_BUILD_TYPE=Debug
      "-DCMAKE_CXX_FLAGS=${FLAGS}" ${ARGN})
  run("${CMAKE_COMMAND}" --build "${work}/${project}")
endfunction()
