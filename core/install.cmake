# What an installation has of the library: itself, its headers, and how others find it: a CMake package
# (find_package(patio)) and two pkg-config files. Both may be moved with the tree they are in.
include(CMakePackageConfigHelpers)

set_target_properties(patio PROPERTIES INSTALL_RPATH "")
install(TARGETS patio patio_plugin_headers EXPORT patio_targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/patio DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# The ABI's version has one home, the header.
file(STRINGS include/patio/base.h lines REGEX "^#define PATIO_ABI_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*_MAJOR ([0-9]+)u.*_MINOR ([0-9]+)u.*" "\\1.\\2" PATIO_ABI "${lines}")
file(STRINGS include/patio/base.h lines REGEX "^#define PATIO_VERSION ")
if(NOT lines MATCHES "\"${PROJECT_VERSION}\"" OR NOT PATIO_ABI MATCHES "^[0-9]+\\.[0-9]+$")
  message(FATAL_ERROR "core/include/patio/base.h and CMakeLists.txt do not agree on the version")
endif()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/patio)
set(PATIO_PLUGIN_DIR ${CMAKE_INSTALL_LIBDIR}/patio)
set(PATIO_BINDIR ${CMAKE_INSTALL_BINDIR})
set(in ${PROJECT_SOURCE_DIR}/cmake)
configure_package_config_file(${in}/patio-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/patio-config.cmake
  INSTALL_DESTINATION ${package} PATH_VARS PATIO_PLUGIN_DIR PATIO_BINDIR)
# As with task modules: an older minor version's programs run with a newer one.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/patio-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(EXPORT patio_targets NAMESPACE patio:: FILE patio-targets.cmake DESTINATION ${package})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/patio-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/patio-config-version.cmake
              ${in}/PatioPlugin.cmake ${in}/PatioTaskModule.cmake ${in}/patio-plugin.map
        DESTINATION ${package})

# Relative to the .pc file's own folder.
set(folder ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH patio_libdir ${folder} ${CMAKE_INSTALL_FULL_LIBDIR})
string(REGEX REPLACE "/$" "" patio_libdir ${patio_libdir})
file(RELATIVE_PATH patio_includedir ${folder} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
foreach(name patio patio-plugin)
  configure_file(${in}/${name}.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
