# One ctest entry for each way to get Troupe: consume.<way>, which runs ways/<way>.cmake. All share one installation of
# this build. A way that compiles the libraries again uses the flags of this build, so that ccache has the objects.
set(same_build "-DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}")
foreach(option IN ITEMS TROUPE_WERROR TROUPE_ASSERTIONS CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_RELEASE CMAKE_CXX_FLAGS_DEBUG)
  string(APPEND same_build "\\;-D${option}=${${option}}")
endforeach()
set(consume_command
    "${CMAKE_COMMAND}" "-DBUILD=${PROJECT_BINARY_DIR}" "-DTROUPE=${PROJECT_SOURCE_DIR}" "-DGENERATOR=${CMAKE_GENERATOR}"
    "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DFLAGS=${TROUPE_CONSUMER_FLAGS}" "-DCLANG_18_FLAGS=${TROUPE_PUBLIC_OPTIONS}"
    "-DSAME_BUILD=${same_build}")
if(TROUPE_CCACHE)
  list(APPEND consume_command "-DCCACHE=${TROUPE_CCACHE}")
endif()

# troupe_consume_test(<way> <what it requires>)
function(troupe_consume_test way requires)
  add_test(NAME consume.${way} COMMAND ${consume_command} -P "${PROJECT_SOURCE_DIR}/tests/consume/ways/${way}.cmake")
  set_tests_properties(consume.${way} PROPERTIES TIMEOUT 600 LABELS consume FIXTURES_REQUIRED "${requires}")
endfunction()

troupe_consume_test(install "")
set_tests_properties(consume.install PROPERTIES FIXTURES_SETUP consume_prefix)
troupe_consume_test(package consume_prefix)
if(NOT TROUPE_SANITIZE AND NOT TROUPE_COVERAGE)
  troupe_consume_test(components consume_prefix)
  troupe_consume_test(pkgconfig consume_prefix)
  troupe_consume_test(flags consume_prefix)
  troupe_consume_test(shared consume_prefix)
  troupe_consume_test(subdirectory "")
  troupe_consume_test(fetchcontent "")
  troupe_consume_test(deb "")
  troupe_consume_test(refused "")
endif()
