# FetchContent with a local source directory: the same as from a repository, without network.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
set(source_options -DFETCH=ON "-DFETCHCONTENT_SOURCE_DIR_TROUPE=${TROUPE}")
include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
