# Warnings, instruction set, ccache: what every target of ours is compiled with.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # sloppiness: without it a precompiled header makes every compilation a miss
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

# -O2: the time goes into LibTorch and into the kernels, which have -O3; -O3 here only makes compilation longer.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

add_library(scoreact_warnings INTERFACE)
target_compile_options(scoreact_warnings INTERFACE -Wall -Wextra -Werror)
if(CCACHE_PROGRAM AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(scoreact_warnings INTERFACE -fpch-preprocess)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(scoreact_warnings INTERFACE -Wno-subobject-linkage)  # takes every file but the outermost for a header
endif()

# Kernels are loops over contiguous numbers: -O3 and AVX2 where the machine has it. One fixed instruction set a build, so that
# results do not depend on which node of a cluster a rank lands on.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(SCOREACT_ARCH "x86-64-v3" CACHE STRING "-march of the kernels (empty: the compiler's default)")
else()
  set(SCOREACT_ARCH "" CACHE STRING "-march of the kernels (empty: the compiler's default)")
endif()
add_library(scoreact_kernel_flags INTERFACE)
# The last two let sqrt and comparisons become vector code; they change no result.
target_compile_options(scoreact_kernel_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:-O3>
                                                       $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno>
                                                       $<$<COMPILE_LANGUAGE:CXX>:-fno-trapping-math>)
if(SCOREACT_ARCH)
  target_compile_options(scoreact_kernel_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=${SCOREACT_ARCH}>)
endif()

# A program that uses the precompiled header of a library needs the library's -fPIC; CMake would give it -fPIE, and the
# compiler then refuses the header.
function(scoreact_share_precompiled_header program library)
  set_target_properties(${program} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${program} PRIVATE -fPIC)
  target_precompile_headers(${program} REUSE_FROM ${library})
endfunction()
