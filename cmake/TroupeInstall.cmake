# Installs the libraries and what find_package(troupe) reads. The component `troupe` is all there is to install.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")
install(TARGETS troupe EXPORT troupe-targets COMPONENT troupe)
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION "${package_dir}" COMPONENT troupe)

configure_package_config_file(cmake/troupe-config.cmake.in "${PROJECT_BINARY_DIR}/troupe-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/troupe-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/troupe-config.cmake" "${PROJECT_BINARY_DIR}/troupe-config-version.cmake"
        DESTINATION "${package_dir}" COMPONENT troupe)
