# What `cmake --install` puts where, and the Debian package: cpack -G DEB in the build folder of a release build.
include(GNUInstallDirs)
find_package(Python3 COMPONENTS Interpreter)
install(TARGETS outrigger RUNTIME DESTINATION bin)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/NEWS.md DESTINATION share/doc/outrigger)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION share/doc/outrigger RENAME copyright)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/config/ DESTINATION share/doc/outrigger/examples)

if(NOT Python3_Interpreter_FOUND)
  return() # the manual page and the package want it
endif()
set(manual ${CMAKE_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${manual}/outrigger.1 ${manual}/outrigger.bash ${manual}/_outrigger
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/packaging/manual.py $<TARGET_FILE:outrigger> ${manual}
  COMMAND gzip -9nkf ${manual}/outrigger.1
  DEPENDS outrigger ${CMAKE_SOURCE_DIR}/packaging/manual.py VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/outrigger.1)
install(FILES ${manual}/outrigger.1.gz DESTINATION share/man/man1)
install(FILES ${manual}/outrigger.bash DESTINATION share/bash-completion/completions RENAME outrigger)
install(FILES ${manual}/_outrigger DESTINATION share/zsh/vendor-completions)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/outrigger.service ${CMAKE_SOURCE_DIR}/packaging/outrigger.socket
  DESTINATION /usr/lib/systemd/system COMPONENT system)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/outrigger.yaml DESTINATION /etc/outrigger COMPONENT system)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME outrigger)
set(CPACK_PACKAGE_VENDOR Outrigger)
set(CPACK_PACKAGE_CONTACT "the Outrigger developers <outrigger@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "resilience sidecar for gRPC")
set(CPACK_PACKAGE_DESCRIPTION "Stands next to a gRPC service, speaks mTLS to the world and plain HTTP/2 to its service, and applies timeout, retry,
circuit breaker and load balancing policies written in YAML.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS nftables) # for outrigger capture
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${CMAKE_BINARY_DIR}/conffiles "/etc/outrigger/outrigger.yaml\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/postinst ${CMAKE_SOURCE_DIR}/packaging/prerm
  ${CMAKE_SOURCE_DIR}/packaging/postrm ${CMAKE_BINARY_DIR}/conffiles)
include(CPack)
