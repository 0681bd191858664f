# FetchContent with a source directory that is there: the same, without network.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
set(source_options -DFETCH=ON "-DFETCHCONTENT_SOURCE_DIR_TROUPE=${TROUPE}")
include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
