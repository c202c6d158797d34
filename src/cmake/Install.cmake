# Installs the program, the library with its headers and the CMake package scoreact::scoreact.
include(CMakePackageConfigHelpers)
set(_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/scoreact)
set_target_properties(scoreact_program PROPERTIES INSTALL_RPATH "${TORCH_ROOT}/lib" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS scoreact_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS scoreact scoreact_core scoreact_kernels scoreact_warnings scoreact_kernel_flags EXPORT scoreactTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT scoreactTargets NAMESPACE scoreact:: DESTINATION ${_package_dir})
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/scoreact FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/scoreact FILES_MATCHING PATTERN "*.hpp")
configure_package_config_file(src/cmake/scoreactConfig.cmake.in ${PROJECT_BINARY_DIR}/scoreactConfig.cmake
                              INSTALL_DESTINATION ${_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/scoreactConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/scoreactConfig.cmake ${PROJECT_BINARY_DIR}/scoreactConfigVersion.cmake
              src/cmake/Dependencies.cmake src/cmake/FindLibTorch.cmake DESTINATION ${_package_dir})
