# find_package from a moved prefix: every target; under strict warnings; without RTTI; inside a shared library.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
build_user(package "-DCMAKE_PREFIX_PATH=${prefix}")
run("${work}/package/hello")
run("${work}/package/strict")
run("${work}/package/no_rtti")
if(NOT FLAGS) # a sanitizer has to be in the program itself
  run("${work}/package/loads" "${work}/package/libinside.so")
endif()
