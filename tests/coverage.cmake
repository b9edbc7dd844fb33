# Which lines and branches of the headers do the unit and parity tests run? gcovr adds their counts up after them and fails below the
# floors. Left out are the branches that the compiler makes for exceptions that any call might throw, and those on lines that have no
# branch to see. What only the compiler evaluates (constant expressions) does not count as run.
find_program(CRISPNAS_GCOVR gcovr)
mark_as_advanced(CRISPNAS_GCOVR)
if(NOT CRISPNAS_GCOVR)
  message(FATAL_ERROR "crispnas: CRISPNAS_COVERAGE needs gcovr. On Debian or Ubuntu: apt-get install gcovr")
endif()

# crispnas_coverage(name LINES percent BRANCHES percent FILTERS regex...): a floor for the headers that match.
function(crispnas_coverage name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LINES;BRANCHES" "FILTERS")
  list(TRANSFORM arg_FILTERS PREPEND "--filter=.*/include/crispnas/")
  add_test(NAME "coverage: ${name}"
           COMMAND "${CRISPNAS_GCOVR}" --root "${PROJECT_SOURCE_DIR}" --object-directory "${PROJECT_BINARY_DIR}" ${arg_FILTERS}
                   --exclude-throw-branches --exclude-unreachable-branches --fail-under-line ${arg_LINES}
                   --fail-under-branch ${arg_BRANCHES} --txt "${PROJECT_BINARY_DIR}/coverage-${name}.txt"
                   --json "${PROJECT_BINARY_DIR}/coverage-${name}.json" --print-summary "${PROJECT_BINARY_DIR}")
  set_tests_properties("coverage: ${name}" PROPERTIES LABELS coverage TIMEOUT 900 FIXTURES_REQUIRED counted)
endfunction()

crispnas_coverage(headers LINES 95 BRANCHES 85 FILTERS .*)
