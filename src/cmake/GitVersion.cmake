# generated/scoreact_git.cpp: the commit that the program was built from, refreshed at each build, rewritten only when it changes.
set(_git_script ${PROJECT_BINARY_DIR}/generated/write_git_version.cmake)
file(WRITE ${_git_script} "
execute_process(COMMAND git -C \"${PROJECT_SOURCE_DIR}\" describe --always --dirty --abbrev=12 OUTPUT_VARIABLE hash
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(hash unknown)
endif()
file(CONFIGURE OUTPUT \"${PROJECT_BINARY_DIR}/generated/scoreact_git.cpp\" CONTENT
\"namespace scoreact { extern const char* const kGitHash; extern const char* const kVersion;
const char* const kGitHash = \\\"@hash@\\\"; const char* const kVersion = \\\"${PROJECT_VERSION}\\\"; }
\" @ONLY)
")
add_custom_target(scoreact_git COMMAND ${CMAKE_COMMAND} -P ${_git_script} BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/scoreact_git.cpp)
execute_process(COMMAND ${CMAKE_COMMAND} -P ${_git_script})
