# Every library that we stand on. Also read by the installed package (scoreactConfig.cmake).
find_package(Kokkos REQUIRED)
if(Kokkos_VERSION VERSION_LESS 4)  # Debian's target has a wrong include folder
  set_target_properties(Kokkos::kokkos PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Kokkos_INCLUDE_DIRS}")
endif()
if(Kokkos_COMPILE_LANGUAGE STREQUAL CUDA)  # exported by Kokkos >= 4.7
  set(CMAKE_CUDA_ARCHITECTURES ${Kokkos_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_STANDARD 20)
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake < 3.25.2
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
endif()

find_package(MPI REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "scoreact needs parallel HDF5 (Debian: libhdf5-openmpi-dev); found a serial one in ${HDF5_C_INCLUDE_DIRS}")
endif()
if(NOT TARGET scoreact_hdf5)
  add_library(scoreact_hdf5 INTERFACE IMPORTED GLOBAL)  # imported: not part of our own export set
  target_include_directories(scoreact_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(scoreact_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
endif()

find_package(fmt REQUIRED)  # header-only: LibTorch's include folder brings another fmt, so the two halves compile different versions
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(CLI11 REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
if(NOT TARGET scoreact_tomlplusplus)
  add_library(scoreact_tomlplusplus INTERFACE IMPORTED GLOBAL)
  target_include_directories(scoreact_tomlplusplus SYSTEM INTERFACE ${TOMLPLUSPLUS_INCLUDE_DIR})
endif()

find_package(LibTorch REQUIRED)
