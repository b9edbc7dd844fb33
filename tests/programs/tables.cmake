# cmake -D PROGRAM=<tables> -D SCRATCH=<folder> [-D PHOTOGRAPHS=<folder>] -P tables.cmake
# The whole life of a ledger at a tiny scale, on made-up images: every table, figure and curve; going on after the end, after a torn
# line, with another configuration, with a damaged line, from a report.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${SCRATCH}")
set(data "${SCRATCH}/cifar-10")
file(MAKE_DIRECTORY "${data}")

# Records of CIFAR-10's binary version: a label, here from 1 to 9, and 3072 pixels.
foreach(file IN ITEMS data_batch_1:72 test_batch:27)
  string(REPLACE ":" ";" file "${file}")
  list(GET file 0 name)
  list(GET file 1 records)
  set(bytes "")
  foreach(i RANGE 1 ${records})
    math(EXPR label "${i} % 9 + 1")
    string(ASCII ${label} label)
    string(RANDOM LENGTH 3072 ALPHABET "0123456789abcdefghijklmnopqrstuvwxyz" RANDOM_SEED ${i} pixels)
    string(APPEND bytes "${label}${pixels}")
  endforeach()
  file(WRITE "${data}/${name}.bin" "${bytes}")
endforeach()
set(sizes "\"images\": 64, \"held_out\": 27, \"channels\": 8, \"cells\": 3, \"batch\": 16, \"retrain_batch\": 16, \"random_cells\": 1")
file(WRITE "${SCRATCH}/tiny.json" "{${sizes}, \"epochs\": 1, \"retrain_epochs\": 1}")
file(WRITE "${SCRATCH}/tiny_2.json" "{${sizes}, \"epochs\": 1, \"retrain_epochs\": 2}")

# run(exit_code regex... -- arguments...): checks the exit code and that the output matches every regex; leaves it in `said`.
function(run code)
  list(FIND ARGN -- border)
  list(SUBLIST ARGN 0 ${border} wanted)
  math(EXPR border "${border} + 1")
  list(SUBLIST ARGN ${border} -1 arguments)
  execute_process(COMMAND "${PROGRAM}" ${arguments} --data "${SCRATCH}" --out "${SCRATCH}/out" --quiet --workers 2
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  message(STATUS "tables ${arguments}\n${output}${errors}")
  if(NOT result STREQUAL code)
    message(FATAL_ERROR "The exit code is ${result} instead of ${code}.")
  endif()
  foreach(regex IN LISTS wanted)
    if(NOT "${output}${errors}" MATCHES "${regex}")
      message(FATAL_ERROR "The output does not match '${regex}'.")
    endif()
  endforeach()
  set(said "${output}" PARENT_SCOPE)
endfunction()
function(expect_file name regex)
  file(READ "${SCRATCH}/out/${name}" text)
  if(NOT "${text}" MATCHES "${regex}")
    message(FATAL_ERROR "${name} does not match '${regex}':\n${text}")
  endif()
endfunction()
# Without the lines that say what was run.
function(results_of text variable)
  string(REGEX REPLACE "^ledger [^\n]*\n[^\n]*\n" "" text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()
set(tiny --scale "${SCRATCH}/tiny.json")

run(0 "3/14 +. darts +. not run" "3/14, error: da2s not compared .not run." -- --table 4 --report ${tiny})
run(0 "0 lines; 14 searches to run.*40 cells to train from scratch.*3/14 +. da2s +. [0-9.]+ .- [0-9.]+ .[0-9.]+. +. 3.67.-0.24"
    "K = 4, 1 epochs of 32 . 32 images .2 bilevel steps of batch 16., 27 held-out images; 2 seeds"
    "8/14 +. random" "3/14, accuracy before the cut: da2s " -- --table 4 --seeds 2 ${tiny})
results_of("${said}" first)
expect_file(table-4.md "\\| 3/14 \\| da2s \\| .*3.67\\+-0.24")
expect_file(table-4.csv "3/14,darts,.*,87.87->10.03,")
expect_file(table-4.json "\"interval_95\"")
expect_file(table-4-statistics.md "ops chosen")
expect_file(ledger.jsonl "\"K\":4,\"configuration\":{.*\"device\":\".*\"hash\":\"[0-9a-f]+\".*\"libtorch\":\".*\"scale\":\"tiny\".*\"seed\":0.*\"wall_seconds\"")

# What is done is not run again, and reads the same.
run(0 "54 lines; 0 searches to run.0 cells to train" -- --table 4 --seeds 2 ${tiny})
results_of("${said}" second)
if(NOT first STREQUAL second)
  message(FATAL_ERROR "The second run prints other results.")
endif()

# A torn last line: told, and done again, with the same result.
file(READ "${SCRATCH}/out/ledger.jsonl" whole)
string(LENGTH "${whole}" length)
math(EXPR cut "${length} - 20")
string(SUBSTRING "${whole}" 0 ${cut} torn)
file(WRITE "${SCRATCH}/out/ledger.jsonl" "${torn}")
run(0 "ledger.jsonl', line 54: torn" "53 lines; 0 searches to run.1 cells to train" -- --table 4 --seeds 2 ${tiny})
results_of("${said}" second)
if(NOT first STREQUAL second)
  message(FATAL_ERROR "What was done again has another result.")
endif()

# Stopped by a signal as soon as three searches are done, in a folder of its own: the same command goes on, to the same results.
set(stopped "${SCRATCH}/stopped")
set(command "${PROGRAM}" --table 4 --seeds 2 ${tiny} --data "${SCRATCH}" --out "${stopped}" --quiet --workers 2)
execute_process(COMMAND bash -c "\"$@\" & program=$!
  until [ \"$(cat '${stopped}/ledger.jsonl' 2>/dev/null | wc -l)\" -ge 3 ]; do kill -0 $program || exit 1; sleep 0.05; done
  kill -TERM $program; wait $program" - ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
message(STATUS "tables, stopped\n${output}${errors}")
if(NOT result EQUAL 143 OR NOT errors MATCHES "stopped by SIGTERM: [0-9]+ of 14 pieces of work are done and in the ledger; what was under way is\
 saved in '${stopped}/unfinished'. The same command goes on")
  message(FATAL_ERROR "The exit code is ${result} instead of 143, or the message is another one.")
endif()
file(GLOB kept "${stopped}/unfinished/*/checkpoints/LATEST")
if(NOT kept)
  message(FATAL_ERROR "Nothing that was under way is kept.")
endif()
execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
message(STATUS "tables, gone on with\n${output}${errors}")
results_of("${output}" second)
string(REPLACE "${stopped}" "${SCRATCH}/out" second "${second}")
file(GLOB left "${stopped}/unfinished/*")
if(NOT result EQUAL 0 OR NOT first STREQUAL second OR left)
  message(FATAL_ERROR "What was stopped and gone on with has other results, or left '${left}'.")
endif()

# Another configuration of the retraining: searches stay, their cells are trained again; and the old numbers are still there.
run(0 "54 lines; 0 searches to run.20 cells to train" -- --table 4 --seeds 1 --scale "${SCRATCH}/tiny_2.json")
run(0 "74 lines; 0 searches to run.0 cells to train" -- --table 4 --seeds 2 ${tiny})

# Everything else; searches are shared.
run(0 "74 lines; 23 searches" "DA2S . cutout +. 2.42/2.51" "da2s, measured" "darts, 2nd order, measured" "days of "
    "error, . .paper. +. 2.76..0.09" "lambda_2 step" "lambda_1 log" "ShuffleNet" "da2s, measured +. not run" "errors are not run: no photographs. .*--imagenet"
    "factor +. accuracy before" "Figure 1: figure-1.svg" "Figure 3: figure-3-seed-.*1 of 1 seeds" "Figure 5"
    -- --table 1,2,3,5 --figure 1,3,4,5,6 --curve lambda --seeds 1 ${tiny})
foreach(name IN ITEMS figure-1.svg figure-3-seed-0.svg figure-4-seed-0.svg figure-5.svg figure-6-seed-0-normal.svg
                      figure-6-seed-0-reduction.svg curve-lambda.svg)
  expect_file(${name} "^<svg.*</svg>")
endforeach()
expect_file(figure-3-seed-0.csv "1,reduction,4,5,")
expect_file(curve-lambda.csv "0.03,")
file(READ "${SCRATCH}/out/report.html" page)
foreach(wanted IN ITEMS "<!DOCTYPE html>" "<h2>Table 1" "<h2>Table 5" "<h2>Figure 6: reduction cell, seed 0" "da2s, 8/14, seed 0: "
                        "<h2>Op weights, reduction cell" "<h2>Edge weights, normal cell" "--curve lambda")
  string(FIND "${page}" "${wanted}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "report.html has no '${wanted}'.")
  endif()
endforeach()
expect_file(table-5.md "DA2S \\(CIFAR10\\).*24.4")

# Cells trained in the paper's kind of network; and, where there are photographs, on those.
set(small_network "\"retrain\": \"derived\", \"retrain_channels\": 4, \"retrain_cells\": 3, \"retrain_epochs\": 1")
file(WRITE "${SCRATCH}/derived.json" "{${sizes}, \"epochs\": 1, ${small_network}}")
run(0 "0 searches to run.4 cells to train.*Figure 1" -- --figure 1 --seeds 1 --scale "${SCRATCH}/derived.json")
expect_file(figure-1.svg "from scratch: error [0-9.]+ %")
file(GLOB left "${SCRATCH}/out/unfinished/*")
if(left)
  message(FATAL_ERROR "Finished trainings left ${left}.")
endif()
if(EXISTS "${PHOTOGRAPHS}/train")
  file(WRITE "${SCRATCH}/transfer.json" "{${sizes}, \"epochs\": 1, \"retrain_epochs\": 1, \"imagenet_epochs\": 1,
    \"imagenet_batch\": 20, \"imagenet_channels\": 4, \"imagenet_cells\": 2}")
  run(0 "0 searches to run.3 cells to train" "C = 4, 2 cells., 1 epochs of 60 photographs of 5 classes, batch 20"
      "da2s, measured +. [0-9.]+ +. [0-9.]+ +. [0-9.]+ +. [0-9]+ " "top-1 error: da2s no order with darts, random"
      -- --table 5 --seeds 1 --scale "${SCRATCH}/transfer.json" --imagenet "${PHOTOGRAPHS}")
else()
  message(STATUS "No photographs in '${PHOTOGRAPHS}', so training on them is NOT TESTED")
endif()

# A training that loses a number ends the run, and is told by its name; no line is made of it, and what is done stays.
file(WRITE "${SCRATCH}/lost.json" "{${sizes}, \"epochs\": 1, \"weight_rate\": 1e6, \"retrain_epochs\": 10}")
file(READ "${SCRATCH}/out/ledger.jsonl" whole)
file(REMOVE "${SCRATCH}/out/ledger.jsonl")
run(1 "tables: from scratch seed 50[0-9], Genotype.*: a number was lost in epoch [0-9]+, step [0-9]+: loss .*; first parameter with a NaN or infinity: .*images: "
    -- --table 1 --seeds 1 --scale "${SCRATCH}/lost.json")
file(READ "${SCRATCH}/out/ledger.jsonl" kept)
if(kept MATCHES "\"kind\":\"retraining\"" OR NOT kept MATCHES "\"kind\":\"search\"")
  message(FATAL_ERROR "Of lost numbers a line was made, or the searches are gone.")
endif()

# More epochs than a line of the ledger holds are refused before the first one.
file(WRITE "${SCRATCH}/long.json" "{${sizes}, \"epochs\": 100000}")
run(2 "scale 'long': the 100000 epochs of a search are up to [0-9]+ bytes in the ledger, of which a line may have 67108864. Take fewer epochs"
    -- --table 1 --seeds 1 --scale "${SCRATCH}/long.json")

# A damaged line is an error that names it.
string(REPLACE "\"K\":4" "\"K\":2" damaged "${whole}")
file(WRITE "${SCRATCH}/out/ledger.jsonl" "${damaged}")
run(1 "ledger.jsonl', line 1: it has been changed after it was written. Take the line out" -- --table 4 ${tiny})
