# generated/scoreact_git.cpp: the commit that the program was built from, refreshed at each build, rewritten only when it changes.
# Included by the project, and run as a script (-P) at build time.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(_git_command ${CMAKE_COMMAND} -D source=${PROJECT_SOURCE_DIR} -D out=${PROJECT_BINARY_DIR}/generated/scoreact_git.cpp
      -D version=${PROJECT_VERSION} -P ${CMAKE_CURRENT_LIST_FILE})
  add_custom_target(scoreact_git COMMAND ${_git_command} BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/scoreact_git.cpp)
  execute_process(COMMAND ${_git_command})
else()
  execute_process(COMMAND git -C "${source}" describe --always --dirty --abbrev=12 OUTPUT_VARIABLE hash
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(hash unknown)
  endif()
  configure_file(${CMAKE_CURRENT_LIST_DIR}/scoreact_git.cpp.in ${out} @ONLY)
endif()
