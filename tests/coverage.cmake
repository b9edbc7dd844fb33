# Which lines and conditions of the headers do the unit and parity tests run? coverage.py adds their counts up after them and fails
# below the floors that it names. Counts of programs that have been built again are not kept.
find_program(CRISPNAS_PYTHON3 python3)
find_program(CRISPNAS_LLVM_COV llvm-cov)
mark_as_advanced(CRISPNAS_PYTHON3 CRISPNAS_LLVM_COV)
if(NOT (CRISPNAS_PYTHON3 AND CRISPNAS_LLVM_COV))
  message(FATAL_ERROR "crispnas: CRISPNAS_COVERAGE needs python3 and llvm-cov. On Debian or Ubuntu: apt-get install python3 llvm")
endif()
add_custom_command(TARGET unit_tests POST_BUILD COMMAND "${CMAKE_COMMAND}" -E rm -rf "${CRISPNAS_COVERAGE_COUNTS}")
# Programs of an earlier layout may lie in the folder, too.
set(crispnas_programs ${unit_programs} fuzz_replay)
list(TRANSFORM crispnas_programs REPLACE "(.+)" "$<TARGET_FILE:\\1>")
list(JOIN crispnas_programs "\n" crispnas_programs)
file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/coverage.programs" CONTENT "${crispnas_programs}\n")
add_test(NAME "coverage: headers" COMMAND "${CRISPNAS_PYTHON3}" "${tests_root}/coverage.py" "${PROJECT_BINARY_DIR}")
set_tests_properties("coverage: headers" PROPERTIES LABELS coverage TIMEOUT 900 FIXTURES_REQUIRED counted)
