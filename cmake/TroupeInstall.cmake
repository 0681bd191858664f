# Installs the libraries and the files that find_package(troupe) and pkg-config read. The installation can be moved: no
# file names the prefix. Everything is in the component `troupe`.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")
get_property(modules GLOBAL PROPERTY TROUPE_MODULES)
list(GET modules -1 last_module)

# -- the libraries, and a file of targets for each: a component of the package ------------------------------------
foreach(module IN LISTS modules)
  get_target_property(includes troupe_${module} TROUPE_INCLUDES)
  install(TARGETS troupe_${module} EXPORT troupe-${module}-targets COMPONENT troupe)
  install(DIRECTORY "${includes}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT troupe
          FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(TARGETS troupe EXPORT troupe-${last_module}-targets COMPONENT troupe)
foreach(module IN LISTS modules)
  install(EXPORT troupe-${module}-targets NAMESPACE troupe:: DESTINATION "${package_dir}" COMPONENT troupe)
endforeach()

# -- find_package ---------------------------------------------------------------------------------------------------
set(TROUPE_COMPONENTS "set(troupe_modules ${modules})\n")
string(APPEND TROUPE_COMPONENTS "set(troupe_Threads_advice \"${TROUPE_Threads_ADVICE}\")\n"
              "set(troupe_OpenSSL_advice \"${TROUPE_OpenSSL_ADVICE}; or ask for less: COMPONENTS actors\")\n")
foreach(module IN LISTS modules)
  get_target_property(needs troupe_${module} TROUPE_NEEDS)
  get_target_property(finds troupe_${module} TROUPE_FINDS)
  if(BUILD_SHARED_LIBS)
    list(FILTER finds INCLUDE REGEX "^Threads") # a shared library already links its private dependencies
  endif()
  string(APPEND TROUPE_COMPONENTS "set(troupe_${module}_needs \"${needs}\")\n"
                                  "set(troupe_${module}_finds \"${finds}\")\n")
endforeach()
configure_package_config_file(cmake/troupe-config.cmake.in "${PROJECT_BINARY_DIR}/troupe-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/troupe-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/troupe-config.cmake" "${PROJECT_BINARY_DIR}/troupe-config-version.cmake"
        DESTINATION "${package_dir}" COMPONENT troupe)

# -- pkg-config: troupe-<module>.pc, and troupe.pc for all of them ---------------------------------------------------
# The dependencies of a static library are in Requires, not in Requires.private: where only libtroupe_*.a is installed,
# a link without --static needs them as well.
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  string(REGEX REPLACE "[^/]+" ".." up "${pkgconfig_dir}")
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()

set(pc_flags "-pthread")
foreach(option IN ITEMS TROUPE_ASSERTIONS TROUPE_TWO_WORD_MAILBOX) # as in TroupeModule.cmake
  if(${option})
    string(APPEND pc_flags " -D${option}")
  endif()
endforeach()

# troupe_pkgconfig(<name> <libraries> <modules needed> <private requirements>)
function(troupe_pkgconfig name libs needs private)
  list(TRANSFORM needs REPLACE "(.+)" "troupe-\\1 = ${PROJECT_VERSION}")
  set(requires ${needs})
  set(requires_private "")
  if(BUILD_SHARED_LIBS)
    set(requires_private ${private})
  else()
    list(APPEND requires ${private})
  endif()
  list(JOIN requires ", " requires)
  list(JOIN requires_private ", " requires_private)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/troupe.pc.in" "${PROJECT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc" DESTINATION "${pkgconfig_dir}" COMPONENT troupe)
endfunction()

foreach(module IN LISTS modules)
  get_target_property(needs troupe_${module} TROUPE_NEEDS)
  get_target_property(requires troupe_${module} TROUPE_PKGCONFIG)
  troupe_pkgconfig(troupe-${module} "-L\${libdir} -ltroupe_${module}" "${needs}" "${requires}")
endforeach()
troupe_pkgconfig(troupe "" "${last_module}" "")

# -- documents ---------------------------------------------------------------------------------------------------------
install(FILES README.md CHANGELOG.md LICENSE DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/troupe" COMPONENT troupe)
