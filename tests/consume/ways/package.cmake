# find_package from a moved prefix: every target; under strict warnings; without RTTI; inside a shared library.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
build_user(package "-DCMAKE_PREFIX_PATH=${prefix}")
run("${work}/package/hello")
run("${work}/package/strict")
if(NOT FLAGS) # UBSan in the library looks at the RTTI of the program's sinks; ASan has to be in the program itself
  run("${work}/package/no_rtti")
  run("${work}/package/loads" "${work}/package/libinside.so")
endif()
