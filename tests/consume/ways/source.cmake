# Shared by subdirectory.cmake and fetchcontent.cmake: builds the project `source` and installs it.
run(${configure} -S "${consume}/source" -B "${again}" ${SAME_BUILD} ${source_options})
run("${CMAKE_COMMAND}" --build "${again}" --target hello loads)
run("${again}/hello")
run("${again}/loads" "${again}/libinside.so")

run("${CMAKE_COMMAND}" --install "${again}" --prefix "${work}/prefix")
file(GLOB_RECURSE installed RELATIVE "${work}/prefix" "${work}/prefix/*")
expect(installed STREQUAL "bin/hello")
file(REMOVE_RECURSE "${again}")
