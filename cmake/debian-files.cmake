# Run by cpack between installing and packing: adds the files that a Debian package must have.
set(doc "${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc")
file(RENAME "${doc}/troupe" "${doc}/libtroupe-dev")
set(doc "${doc}/libtroupe-dev")
file(READ "${doc}/LICENSE" license)
string(REGEX REPLACE "\n(\n*)$" "" license "${license}")
string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE "${doc}/copyright"
     "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: troupe\n\n"
     "Files: *\nCopyright: The Troupe authors\nLicense: BSL-1.0\n ${license}\n")
file(REMOVE "${doc}/LICENSE")
file(CHMOD "${doc}/copyright" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
file(RENAME "${doc}/CHANGELOG.md" "${doc}/changelog")
execute_process(COMMAND gzip -9n "${doc}/changelog" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB archives "${CPACK_TEMPORARY_DIRECTORY}/usr/lib/*.a" "${CPACK_TEMPORARY_DIRECTORY}/usr/lib/*/*.a")
if(archives)
  execute_process(COMMAND strip --strip-debug --enable-deterministic-archives ${archives} COMMAND_ERROR_IS_FATAL ANY)
endif()
