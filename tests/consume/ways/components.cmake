# find_package(troupe COMPONENTS ...): loads the components asked for and those they need, and no more.
include("${CMAKE_CURRENT_LIST_DIR}/common.cmake")
set(ask ${configure} --fresh -S "${consume}/package" -B "${work}/ask" "-DCMAKE_PREFIX_PATH=${prefix}")
set(without_openssl -DCMAKE_DISABLE_FIND_PACKAGE_OpenSSL=ON)

output_of(out ${ask} "-DCOMPONENTS=COMPONENTS\;runtime" ${without_openssl})
expect(out MATCHES "target troupe::runtime" AND NOT out MATCHES "target troupe::actors")
output_of(out ${ask} "-DCOMPONENTS=COMPONENTS\;actors" ${without_openssl})
expect(out MATCHES "target troupe::runtime" AND out MATCHES "target troupe::actors"
       AND NOT out MATCHES "troupe::transport")
output_of(out ${ask} "-DCOMPONENTS=COMPONENTS\;transport\;actors")
expect(out MATCHES "target troupe::transport" AND out MATCHES "target troupe::troupe")
output_of(out ${ask} "-DCOMPONENTS=COMPONENTS\;actors\;OPTIONAL_COMPONENTS\;transport\;web" ${without_openssl})
expect(out MATCHES "target troupe::actors" AND NOT out MATCHES "troupe::transport")
output_of(out ${ask} -DCOMPONENTS=)
expect(out MATCHES "target troupe::troupe")

fails_with("troupe::transport needs OpenSSL 3.0, which is not found. Install it: Debian and Ubuntu libssl-dev"
           ${ask} -DCOMPONENTS= ${without_openssl})
fails_with("troupe::transport needs OpenSSL 3.0, which is not found" ${ask} "-DCOMPONENTS=COMPONENTS\;transport"
           ${without_openssl})
fails_with("troupe has no component web: it has runtime, actors, transport" ${ask}
           "-DCOMPONENTS=COMPONENTS\;actors\;web")
file(GLOB_RECURSE targets "${prefix}/*/troupe-transport-targets.cmake")
file(RENAME "${targets}" "${targets}.away")
output_of(out ${ask} -DCOMPONENTS= ${without_openssl})
file(RENAME "${targets}.away" "${targets}")
expect(out MATCHES "target troupe::actors")
