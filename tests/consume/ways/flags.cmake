# Flags under which our headers cannot work: the first error is one sentence that says so.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")

# refuses(<sentence> <flag>...)
function(refuses sentence)
  foreach(header IN ITEMS runtime.hpp actors.hpp transport.hpp troupe.hpp)
    file(WRITE "${work}/main.cpp" "#include <troupe/${header}>\n")
    execute_process(
      COMMAND "${COMPILER}" ${CLANG_18_FLAGS} ${ARGN} -fsyntax-only -I "${prefix}/include" "${work}/main.cpp"
      RESULT_VARIABLE status ERROR_VARIABLE errors)
    string(REGEX MATCH "error: [^\n]*" first "${errors}")
    string(FIND "${first}" "${sentence}" at)
    if(status EQUAL 0 OR at EQUAL -1)
      message(FATAL_ERROR "${header} with ${ARGN}: expected as the first error: ${sentence}\nwas: ${first}")
    endif()
  endforeach()
  message(STATUS "${ARGN}: ${first}")
endfunction()

refuses("Troupe needs C++23: compile with -std=c++23" -std=c++20)
refuses("Troupe needs C++23: compile with -std=c++23" -std=gnu++20)
refuses("Troupe needs exceptions" -std=c++23 -fno-exceptions)
