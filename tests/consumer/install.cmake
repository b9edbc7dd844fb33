# Installs crispnas into a staging folder and moves it, as packages are.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${WORK}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/staging" RESULT_VARIABLE code
                OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "cmake --install failed:\n${said}")
endif()
file(RENAME "${WORK}/staging" "${WORK}/moved")
