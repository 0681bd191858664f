# cmake --install, and then the prefix is moved: all the other ways use the moved one.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
file(REMOVE_RECURSE "${prefix}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${work}/first")
file(RENAME "${work}/first" "${prefix}")

file(GLOB_RECURSE installed RELATIVE "${prefix}" "${prefix}/*")
foreach(file IN ITEMS "include/troupe/troupe.hpp" "include/troupe/actors/ref.hpp" "share/doc/troupe/LICENSE"
                      "share/doc/troupe/README.md" "/troupe-config.cmake" "/troupe.pc" "/troupe-actors.pc"
                      "libtroupe_actors.a")
  string(FIND "${installed}" "${file}" at)
  expect(NOT at EQUAL -1)
endforeach()

# No text file names a path of the build: the prefix can be anywhere.
foreach(file IN LISTS installed)
  if(file MATCHES "\\.(cmake|pc|hpp)$")
    file(READ "${prefix}/${file}" text)
    foreach(place IN ITEMS "${TROUPE}" "${work}" "${BUILD}")
      string(FIND "${text}" "${place}" at)
      if(NOT at EQUAL -1)
        message(FATAL_ERROR "${file} names ${place}")
      endif()
    endforeach()
  endif()
endforeach()
