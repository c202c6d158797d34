# scoreact_unity_by_folder(TARGET [ALONE name...]): compiles the sources of each folder as one file, which with sanitizers takes half
# the time. Files of a folder then share an anonymous namespace: if two use one name for different things ("redefinition of"),
# name one of them ALONE.
function(scoreact_unity_by_folder target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" ALONE)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(group ${folder} NAME)
    get_filename_component(name ${source} NAME_WE)
    if(name IN_LIST arg_ALONE)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    else()
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
endfunction()
