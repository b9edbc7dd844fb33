# How does this project build when nobody builds it as a part of something else? Release, through ccache where
# there is one, and with no more compilers at once than fit into memory (a LibTorch file takes up to 2 GB).
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

find_program(CRISPNAS_CCACHE ccache)
mark_as_advanced(CRISPNAS_CCACHE)
if(CRISPNAS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache refuses files that use a precompiled header unless it may ignore time stamps and macros in them.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${CRISPNAS_CCACHE}")
  message(STATUS "crispnas: compiling through ${CRISPNAS_CCACHE}")
endif()

if(CMAKE_GENERATOR MATCHES "Ninja" AND NOT CMAKE_JOB_POOL_COMPILE)
  cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
  cmake_host_system_information(RESULT memory QUERY AVAILABLE_PHYSICAL_MEMORY)
  math(EXPR fit "${memory} / 2048")
  if(fit GREATER cores)
    set(fit ${cores})
  elseif(fit LESS 1)
    set(fit 1)
  endif()
  set_property(GLOBAL APPEND PROPERTY JOB_POOLS crispnas_compile=${fit})
  set(CMAKE_JOB_POOL_COMPILE crispnas_compile)
endif()
