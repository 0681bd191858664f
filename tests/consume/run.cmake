# Installs the build in BUILD below itself, then configures, builds and runs the project in SOURCE against it.
# Run by ctest with -DBUILD, -DSOURCE, -DGENERATOR, -DCOMPILER and -DFLAGS.
set(work "${BUILD}/consume")
file(REMOVE_RECURSE "${work}")

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --component troupe --prefix "${work}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${work}/build" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_PREFIX_PATH=${work}/prefix" -DCMAKE_BUILD_TYPE=Debug)
run("${CMAKE_COMMAND}" --build "${work}/build")
run("${work}/build/hello")
run("${work}/build/whole")
