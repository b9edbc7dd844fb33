# Does manners.cmake see each kind of violation? Writes one header at a time and expects its complaint, or none.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/expect_complaint.cmake")
function(expect text complaint)
  expect_complaint(manners.cmake a.hpp "${text}" "${complaint}")
endfunction()

expect("#pragma once\n#define CRISPNAS_A 1\n#undef CRISPNAS_A" "")
expect("#define CRISPNAS_A 1" "lacks #pragma once")
expect("#pragma once\n#define CHECK(x)" "macros begin with CRISPNAS_")
expect("#pragma once\n#  undef assert" "macros begin with CRISPNAS_")
expect("#pragma once\nnamespace a {\nusing namespace std;\n}" "opens a namespace for everybody")
expect("#pragma once\ninline void f() {\n  using namespace std;\n}" "")
