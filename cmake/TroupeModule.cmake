# troupe_module(<name> [PUBLIC <target>...] [PRIVATE <target>...] [FINDS <package and version>...]
#               [PKGCONFIG <requirement>...])
#
# Declares the library troupe_<name> (alias and exported name: troupe::<name>) from <name>/src, with <name>/include
# as its only public include root, and <name>/internal, which is not installed, for this module and those above it. A
# module sees its own roots and those of the modules it links, so an include that points upwards does not compile.
# PRIVATE dependencies are used in src/ only, but a program that links a static module links them too: FINDS and
# PKGCONFIG tell the installed package how to find them.
function(troupe_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PUBLIC;PRIVATE;FINDS;PKGCONFIG")
  set(target troupe_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp")

  if(sources)
    add_library(${target} ${sources}) # static or shared: BUILD_SHARED_LIBS
    set(scope PUBLIC)
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
    get_property(visible GLOBAL PROPERTY TROUPE_MODULES)
    foreach(module IN LISTS visible ITEMS ${name})
      if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/${module}/internal")
        target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${module}/internal")
      endif()
    endforeach()
    troupe_strict(${target})
    troupe_link_anywhere(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(troupe::${name} ALIAS ${target})

  target_compile_features(${target} ${scope} cxx_std_23)
  # Users of the library get them as well: both sides instantiate the same inline functions.
  target_compile_definitions(${target} ${scope} $<$<BOOL:${TROUPE_ASSERTIONS}>:TROUPE_ASSERTIONS>
                             $<$<BOOL:${TROUPE_TWO_WORD_MAILBOX}>:TROUPE_TWO_WORD_MAILBOX>)
  target_compile_options(
    ${target} ${scope} "$<${TROUPE_IS_CLANG_18}:-Wno-builtin-macro-redefined>"
                       "$<${TROUPE_IS_CLANG_18}:-D__cpp_concepts=202002L>")
  target_include_directories(
    ${target} ${scope} "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>"
                       "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} ${scope} ${arg_PUBLIC})
  if(arg_PRIVATE)
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
  endif()

  # For TroupeInstall: the modules to install, in order, and their dependencies.
  set_property(GLOBAL APPEND PROPERTY TROUPE_MODULES ${name})
  set(needs "${arg_PUBLIC}")
  list(FILTER needs INCLUDE REGEX "^troupe::")
  list(TRANSFORM needs REPLACE "^troupe::" "")
  set_target_properties(
    ${target}
    PROPERTIES EXPORT_NAME ${name}
               TROUPE_NEEDS "${needs}"
               TROUPE_FINDS "${arg_FINDS}"
               TROUPE_PKGCONFIG "${arg_PKGCONFIG}"
               TROUPE_INCLUDES "${CMAKE_CURRENT_SOURCE_DIR}/include/")
endfunction()

# troupe_link_anywhere(<target>): lets it link into a program or a user's shared library, or be a shared library itself.
function(troupe_link_anywhere target)
  # Position-independent unless the user has decided otherwise. Calls inside the library stay direct.
  if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  target_compile_options(${target} PRIVATE -fno-semantic-interposition)

  # Before 1.0 a minor version may change the ABI, so it is part of the soname. The libraries find each other by
  # $ORIGIN, also after the prefix is moved, unless the packager sets a path or CMAKE_SKIP_INSTALL_RPATH.
  set_target_properties(
    ${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                         DEFINE_SYMBOL "")
  if(NOT DEFINED CMAKE_INSTALL_RPATH)
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endif()
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL "SHARED_LIBRARY" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(exports "${PROJECT_SOURCE_DIR}/cmake/exports.map")
    target_link_options(${target} PRIVATE "-Wl,--version-script=${exports}" -Wl,--no-undefined)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${exports}")
  endif()
endfunction()
