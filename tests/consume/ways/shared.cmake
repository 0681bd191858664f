# BUILD_SHARED_LIBS: sonames, no path but $ORIGIN, no symbol of others; a user's libraries with hidden symbols.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
run(${configure} -S "${TROUPE}" -B "${again}" ${SAME_BUILD} -DBUILD_SHARED_LIBS=ON -DTROUPE_BUILD_TESTS=OFF
    -DTROUPE_BUILD_EXAMPLES=OFF -DTROUPE_BUILD_BENCH=OFF)
run("${CMAKE_COMMAND}" --build "${again}")
run("${CMAKE_COMMAND}" --install "${again}" --prefix "${work}/first")
file(RENAME "${work}/first" "${work}/prefix")
file(REMOVE_RECURSE "${again}") # the installation must not need it
file(GLOB library "${work}/prefix/lib*/libtroupe_transport.so" "${work}/prefix/lib*/*/libtroupe_transport.so")
cmake_path(GET library PARENT_PATH libdir)

find_program(readelf readelf)
find_program(nm nm)
output_of(out "${readelf}" -d "${library}")
expect(out MATCHES "SONAME[^\n]*libtroupe_transport\\.so\\.0\\.1\\]")
expect(out MATCHES "R(UN)?PATH[^\n]*\\[\\$ORIGIN\\]")
expect(out MATCHES "NEEDED[^\n]*libtroupe_actors\\.so\\.0\\.1\\]")
foreach(module IN ITEMS runtime actors transport)
  output_of(out "${nm}" -D --defined-only "${libdir}/libtroupe_${module}.so")
  string(REGEX MATCHALL "[^\n]+" symbols "${out}")
  list(LENGTH symbols count)
  list(FILTER symbols EXCLUDE REGEX "6troupe")
  message(STATUS "troupe_${module} exports ${count} symbols, of others: ${symbols}")
  expect(NOT symbols)
endforeach()

# A user's library with hidden symbols shares actors with the program, without the development files of OpenSSL.
build_user(plugin "-DCMAKE_PREFIX_PATH=${work}/prefix" -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)
run("${work}/plugin/customer")
run("${work}/plugin/everything")

find_program(pkgconfig pkg-config)
if(pkgconfig)
  set(ENV{PKG_CONFIG_PATH} "${libdir}/pkgconfig")
  output_of(flags "${pkgconfig}" --cflags --libs troupe)
  message(STATUS "pkg-config --cflags --libs troupe: ${flags}")
  expect(NOT flags MATCHES "ssl")
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run("${COMPILER}" -std=c++23 ${CLANG_18_FLAGS} "${consume}/hello.cpp" -o "${work}/hello" ${flags}
      "-Wl,-rpath,${libdir}")
  run("${work}/hello")
endif()
