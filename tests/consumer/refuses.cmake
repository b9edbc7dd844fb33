# Configures SOURCE in WORK and expects it to fail with WORDS and to leave no virtual environment behind.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${WORK}")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${CXX}"
                        "-DCRISPNAS_SOURCE=${CRISPNAS}" ${ARGUMENTS}
                RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
string(REGEX REPLACE "[ \n]+" " " words "${said}")
if(code EQUAL 0)
  message(FATAL_ERROR "The configuration should have failed:\n${said}")
elseif(NOT words MATCHES "${WORDS}")
  message(FATAL_ERROR "Expected '${WORDS}', got:\n${said}")
endif()
file(GLOB_RECURSE environments "${WORK}/pyvenv.cfg")
if(environments)
  message(FATAL_ERROR "Something was installed: ${environments}")
endif()
