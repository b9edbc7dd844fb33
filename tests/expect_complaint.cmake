# expect_complaint(script header text complaint): does a check of the headers see what is wrong with a header of this name and text?
# It is to say the complaint, a regex; "": nothing is wrong.
function(expect_complaint script header text complaint)
  file(REMOVE_RECURSE "${SCRATCH}")
  file(WRITE "${SCRATCH}/crispnas/${header}" "${text}\n")
  execute_process(COMMAND "${CMAKE_COMMAND}" -D "INCLUDE=${SCRATCH}" -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${script}"
                  RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  if(complaint STREQUAL "")
    if(NOT code EQUAL 0)
      message(FATAL_ERROR "${header} of '${text}' is fine, but ${script} says: ${said}")
    endif()
  elseif(code EQUAL 0 OR NOT said MATCHES "${complaint}")
    message(FATAL_ERROR "${header} of '${text}': expected '${complaint}' of ${script}, got: ${said}")
  endif()
endfunction()
