# Does a mistake give exactly one error, in the words that we want? crispnas_compile_fail(file.cpp) makes one test
# for each of g++ and clang++ that is there. The file begins with
#   // error: <regex>     in CMake's syntax, matched against everything that the compiler says
# and, if it includes LibTorch, goes on with
#   // torch
# This file is also the script that such a test runs.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(CRISPNAS_COMPILE_FAIL_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
  find_program(CRISPNAS_GXX g++)
  find_program(CRISPNAS_CLANGXX NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14)
  mark_as_advanced(CRISPNAS_GXX CRISPNAS_CLANGXX)

  function(crispnas_compile_fail file)
    get_filename_component(name "${file}" NAME_WE)
    get_target_property(folders crispnas::libtorch INTERFACE_INCLUDE_DIRECTORIES)
    foreach(compiler IN ITEMS "${CRISPNAS_GXX}" "${CRISPNAS_CLANGXX}")
      if(NOT compiler)
        continue()
      endif()
      get_filename_component(label "${compiler}" NAME)
      add_test(NAME "compile_fail: ${name} (${label})"
               COMMAND "${CMAKE_COMMAND}" -D "COMPILER=${compiler}" -D "FILE=${file}"
                       -D "INCLUDE=${PROJECT_SOURCE_DIR}/include" -D "TORCH=${folders}"
                       -P "${CRISPNAS_COMPILE_FAIL_SCRIPT}")
      set_tests_properties("compile_fail: ${name} (${label})" PROPERTIES LABELS compile_fail TIMEOUT 120)
    endforeach()
  endfunction()
  return()
endif()

cmake_minimum_required(VERSION 3.25)
file(READ "${FILE}" text)
if(NOT text MATCHES "^// error: ([^\n]+)\n")
  message(FATAL_ERROR "${FILE} does not begin with '// error: <regex>'.")
endif()
set(wanted "${CMAKE_MATCH_1}")
set(command "${COMPILER}" -std=c++20 -fsyntax-only -I "${INCLUDE}")
if(text MATCHES "^[^\n]*\n// torch\n")
  foreach(folder IN LISTS TORCH)
    list(APPEND command -isystem "${folder}")
  endforeach()
endif()

execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C ${command} "${FILE}"
                RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(code EQUAL 0)
  message(FATAL_ERROR "${FILE} compiles, but should not.")
endif()
string(REGEX MATCHALL "error: " errors "${said}")
list(LENGTH errors count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "${FILE}: ${count} errors instead of one:\n${said}")
endif()
if(NOT said MATCHES "${wanted}")
  message(FATAL_ERROR "${FILE}: the error does not match '${wanted}':\n${said}")
endif()
