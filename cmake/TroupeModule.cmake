# troupe_module(<name> [PUBLIC <target>...] [PRIVATE <target>...] [BOOST])
#
# Declares the library troupe_<name> (alias and exported name: troupe::<name>) from <name>/src, with <name>/include
# as its only public include root. A module sees its own root and those of the modules it links, so an include
# that points upwards does not compile. What is PRIVATE is for src/, and linked by whoever links the module: the
# installed package finds it again (troupe-config.cmake.in). BOOST gives src/, and nobody else, the Boost headers.
function(troupe_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "BOOST" "" "PUBLIC;PRIVATE")
  set(target troupe_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp")

  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
    troupe_strict(${target})
    if(arg_BOOST)
      # Headers only, so nothing to link: a user of the installed library needs no Boost.
      target_include_directories(
        ${target} SYSTEM PRIVATE "$<TARGET_PROPERTY:Boost::headers,INTERFACE_INCLUDE_DIRECTORIES>")
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(troupe::${name} ALIAS ${target})

  target_compile_features(${target} ${scope} cxx_std_23)
  target_compile_options(${target} ${scope} ${TROUPE_PUBLIC_OPTIONS})
  # Also for users of the library: both sides instantiate the same inline functions.
  target_compile_definitions(${target} ${scope} $<$<BOOL:${TROUPE_ASSERTIONS}>:TROUPE_ASSERTIONS>)
  target_include_directories(
    ${target} ${scope} "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>"
                       "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} ${scope} ${arg_PUBLIC})
  if(arg_PRIVATE)
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
  endif()
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})

  install(TARGETS ${target} EXPORT troupe-targets ARCHIVE COMPONENT troupe)
  install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
          COMPONENT troupe FILES_MATCHING PATTERN "*.hpp")
endfunction()
