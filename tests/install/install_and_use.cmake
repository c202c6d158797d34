# Installs a build, then configures, builds and runs a consumer project against it (see CMakeLists.txt for the variables).
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "failed (${failed}): ${ARGN}")
  endif()
endfunction()

file(REMOVE_RECURSE ${work})
run(${CMAKE_COMMAND} --install ${build} --prefix ${work}/prefix --config "${config}")
run(${work}/prefix/bin/scoreact --version)

set(search ${work}/prefix)
if(prefix_path)
  list(APPEND search ${prefix_path})
endif()
list(JOIN search "\\;" search)
run(${CMAKE_COMMAND} -S ${consumer} -B ${work}/build -G ${generator} -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_C_COMPILER=${c_compiler} "-DCMAKE_PREFIX_PATH=${search}")
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
