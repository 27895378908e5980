# Installing: headers as <wengert/room/name.h>, the libraries, a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)

set(public_rooms graph graph/export plot io ops ops/elementwise ops/kernels ops/loss autodiff nn optim optim/passes optim/training testing)
foreach(room IN LISTS public_rooms)
  file(GLOB headers CONFIGURE_DEPENDS ${room}/*.h)
  foreach(header IN LISTS headers)
    # A header that says so belongs to the library alone.
    file(STRINGS ${header} private REGEX "Private to the library" LIMIT_COUNT 1)
    if(NOT private)
      install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert/${room})
    endif()
  endforeach()
endforeach()
install(FILES ops/ops.def DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert/ops)
install(FILES nn/initializers.def DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert/nn)
install(FILES optim/optimizers.def optim/passes.def optim/schedules.def DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert/optim)
install(FILES wengert.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/wengert)

install(TARGETS wengert wengert_testing EXPORT wengert-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET wengert_program)
  install(TARGETS wengert_program DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wengert)
install(EXPORT wengert-targets NAMESPACE wengert:: DESTINATION ${package_dir})
configure_package_config_file(cmake/wengert-config.cmake.in wengert-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(wengert-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wengert-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/wengert-config-version.cmake DESTINATION ${package_dir})
file(RELATIVE_PATH WENGERT_PKGCONFIG_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/wengert.pc.in wengert.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/wengert.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
