# The target `tidy` (cmake --build --preset tidy): clang-tidy over every source of ours, each again when its object file is newer
# than its last clean run, that is when it or a header of it has changed.
function(scoreact_add_tidy)
  set(stamps "")
  foreach(target IN LISTS ARGN)
    get_target_property(sources ${target} SOURCES)
    get_target_property(folder ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder})
      cmake_path(IS_PREFIX PROJECT_BINARY_DIR ${source} generated)
      if(generated)
        continue()
      endif()
      file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
      file(RELATIVE_PATH object ${folder} ${source})
      set(stamp ${PROJECT_BINARY_DIR}/tidy/${name}.clean)
      cmake_path(GET stamp PARENT_PATH stamp_folder)
      add_custom_command(
        OUTPUT ${stamp}
        COMMAND ${PROJECT_SOURCE_DIR}/src/setup/tidy.py -p ${PROJECT_BINARY_DIR} ${source}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${stamp_folder}
        COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
        DEPENDS "$<FILTER:$<TARGET_OBJECTS:${target}>,INCLUDE,/${object}[.]o$>" ${PROJECT_SOURCE_DIR}/.clang-tidy
        COMMENT "clang-tidy ${name}" VERBATIM)
      list(APPEND stamps ${stamp})
    endforeach()
  endforeach()
  add_custom_target(tidy DEPENDS ${stamps})
endfunction()

if(CMAKE_UNITY_BUILD)
  return()  # no object file a source
endif()
set(tidy_targets scoreact_kernels scoreact_core scoreact scoreact_program)
if(SCOREACT_BUILD_TESTS)
  get_property(test_targets DIRECTORY ${PROJECT_SOURCE_DIR}/tests PROPERTY BUILDSYSTEM_TARGETS)
  list(APPEND tidy_targets ${test_targets})
endif()
scoreact_add_tidy(${tidy_targets})
