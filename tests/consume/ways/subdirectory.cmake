# add_subdirectory in a C++20 project, also into a shared library. Only the user's own files are installed.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
set(source_options "-DTROUPE=${TROUPE}")
include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
