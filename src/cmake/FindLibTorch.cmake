# LibTorch as imported targets written by hand: find_package(Torch) enables CUDA, appends to global flags and stops on machines
# without a toolkit (docs/building.md). Looks in Torch_ROOT, CMAKE_PREFIX_PATH and the project's .venv.
#   Torch::torch            the target        SCOREACT_WITH_CUDA   whether LibTorch's CUDA half and NCCL are linked
file(GLOB _venv_torch ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
find_path(TORCH_INCLUDE_DIR torch/csrc/api/include/torch/torch.h
          HINTS ${Torch_ROOT} $ENV{Torch_ROOT} ${_venv_torch} PATH_SUFFIXES include)
if(NOT TORCH_INCLUDE_DIR)
  message(FATAL_ERROR "LibTorch >= 2.7 not found: set Torch_ROOT to a folder that holds include/torch and lib/libtorch_cpu.so, "
                      "or run ./quickstart --build-only, which installs the torch wheel into .venv")
endif()
get_filename_component(TORCH_ROOT ${TORCH_INCLUDE_DIR} DIRECTORY)
file(STRINGS ${TORCH_INCLUDE_DIR}/torch/headeronly/version.h _version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
if(NOT _version_lines)
  file(STRINGS ${TORCH_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h _version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
endif()
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3" LibTorch_VERSION "${_version_lines}")
if(LibTorch_VERSION VERSION_LESS 2.7)
  message(FATAL_ERROR "LibTorch >= 2.7 is needed (C++11 ABI); found ${LibTorch_VERSION} in ${TORCH_ROOT}")
endif()

set(SCOREACT_WITH_CUDA OFF)
set(_torch_libs c10 torch_cpu)
if(NOT SCOREACT_ENABLE_CUDA STREQUAL OFF)
  find_package(CUDAToolkit QUIET)
  find_library(TORCH_CUDA_LIBRARY torch_cuda HINTS ${TORCH_ROOT}/lib NO_DEFAULT_PATH)
  # The wheel's own NCCL first, alone: it is the one that LibTorch loads, and a loaded module's in CMAKE_PREFIX_PATH would win over hints.
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl PATHS ${TORCH_ROOT}/../nvidia/nccl/lib NO_DEFAULT_PATH)
  find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl HINTS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_LIBRARY_ROOT}/lib64)
  find_path(NCCL_INCLUDE_DIR nccl.h PATHS ${TORCH_ROOT}/../nvidia/nccl/include NO_DEFAULT_PATH)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  # torch_cuda of the wheel needs NVSHMEM, by way of libtorch_nvshmem: without it torch_cuda can be found but not linked. Others (Spack's)
  # are built without.
  file(GLOB _nvshmem ${TORCH_ROOT}/../nvidia/nvshmem/lib/libnvshmem_host.so* ${TORCH_ROOT}/lib/libnvshmem_host.so*)
  set(_needed "")
  if(TORCH_CUDA_LIBRARY AND CMAKE_READELF)
    file(GLOB _torch_nvshmem ${TORCH_ROOT}/lib/libtorch_nvshmem.so)
    execute_process(COMMAND ${CMAKE_READELF} -d ${TORCH_CUDA_LIBRARY} ${_torch_nvshmem} OUTPUT_VARIABLE _needed ERROR_QUIET)
  endif()
  if(NOT _nvshmem AND NOT _needed MATCHES "NEEDED[^\n]*libnvshmem_host")
    set(_nvshmem "not needed")
  endif()
  if(CUDAToolkit_FOUND AND TORCH_CUDA_LIBRARY AND NCCL_LIBRARY AND NCCL_INCLUDE_DIR AND _nvshmem)
    set(SCOREACT_WITH_CUDA ON)
    list(APPEND _torch_libs c10_cuda torch_cuda)
  elseif(SCOREACT_ENABLE_CUDA STREQUAL ON)
    message(FATAL_ERROR "SCOREACT_ENABLE_CUDA=ON, but something is missing: CUDA toolkit ${CUDAToolkit_FOUND}, "
                        "libtorch_cuda ${TORCH_CUDA_LIBRARY}, NCCL ${NCCL_LIBRARY}, nccl.h ${NCCL_INCLUDE_DIR}, nvshmem ${_nvshmem}")
  endif()
endif()
message(STATUS "LibTorch ${LibTorch_VERSION} in ${TORCH_ROOT}, CUDA ${SCOREACT_WITH_CUDA}")

if(NOT TARGET Torch::torch)
  add_library(Torch::torch INTERFACE IMPORTED GLOBAL)
  foreach(lib IN LISTS _torch_libs)
    find_library(TORCH_${lib}_LIBRARY ${lib} HINTS ${TORCH_ROOT}/lib NO_DEFAULT_PATH REQUIRED)
    mark_as_advanced(TORCH_${lib}_LIBRARY)
    add_library(Torch::${lib} SHARED IMPORTED GLOBAL)
    set_target_properties(Torch::${lib} PROPERTIES IMPORTED_LOCATION ${TORCH_${lib}_LIBRARY}
      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIR};${TORCH_INCLUDE_DIR}/torch/csrc/api/include"
      INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIR};${TORCH_INCLUDE_DIR}/torch/csrc/api/include")
    target_link_libraries(Torch::torch INTERFACE Torch::${lib})
  endforeach()
  if(SCOREACT_WITH_CUDA)  # registers itself by constructors; the linker's --as-needed would drop it
    target_link_libraries(Torch::torch INTERFACE CUDA::cudart "${NCCL_LIBRARY}"
                          "-Wl,--push-state,--no-as-needed,${TORCH_torch_cuda_LIBRARY},--pop-state")
    target_include_directories(Torch::torch SYSTEM INTERFACE ${NCCL_INCLUDE_DIR})
  endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS TORCH_INCLUDE_DIR TORCH_torch_cpu_LIBRARY VERSION_VAR LibTorch_VERSION)
