# What does `cmake --install` write? The headers, the two targets, and a package that looks for LibTorch where
# the user has it (it holds no path of this machine and can be moved).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(package "${CMAKE_INSTALL_DATADIR}/cmake/crispnas")

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS crispnas_spec crispnas EXPORT crispnasTargets)
install(EXPORT crispnasTargets NAMESPACE crispnas:: DESTINATION ${package})

configure_package_config_file(cmake/crispnasConfig.cmake.in crispnasConfig.cmake INSTALL_DESTINATION ${package})
# Before 1.0 a minor version may break users. Nothing is compiled, so the architecture does not matter.
write_basic_package_version_file(crispnasConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/crispnasConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/crispnasConfigVersion.cmake cmake/crispnas_libtorch.cmake cmake/crispnas_compiled.cmake
        DESTINATION ${package})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/crispnas)
