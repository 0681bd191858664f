# `cpack` in the build folder: libtroupe-dev_<version>_<architecture>.deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libtroupe-dev)
set(CPACK_PACKAGE_CONTACT "The Troupe authors <troupe@localhost>" CACHE STRING "Maintainer of the Debian package")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "actor runtime for C++23 (development files)")
set(CPACK_PACKAGE_DESCRIPTION
    "Lightweight actors on a work-stealing thread pool exchange typed messages over bounded mailboxes; supervision trees
own, restart and stop them; sockets are awaitables on the same workers.
.
This package has the headers, the libraries, and their files for CMake and pkg-config.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

# A static library may use any function of the libssl it was compiled against, so an older one is not enough.
string(REGEX MATCH "^[0-9]+\\.[0-9]+" openssl "${OPENSSL_VERSION}")
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6-dev, libssl-dev (>= ${openssl})")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++ (>= 4:13) | g++-13 | clang (>= 1:18) | clang-19 | clang-18")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake (>= 3.25), pkgconf")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ${BUILD_SHARED_LIBS})

# Adds the copyright and the changelog that every Debian package has, and strips debug information from the archives.
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/debian-files.cmake")
include(CPack)
