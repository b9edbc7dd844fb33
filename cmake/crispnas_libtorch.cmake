# Where is LibTorch? This file looks in order at
#   1. Torch_DIR, then CMAKE_PREFIX_PATH (CMake or environment variables),
#   2. the active Python's torch, without importing it (Python3_EXECUTABLE, else python3 on PATH),
#   3. the virtual environment CRISPNAS_VENV, if an earlier configuration completed it,
#   4. the system's prefixes,
# and makes the target crispnas::libtorch. It never installs anything.
#
# The target is ours and not the one of find_package(Torch), which asks for a CUDA toolkit with nvcc (enabling
# the language CUDA in a C++ project) whenever the wheel was built with CUDA, also on a machine without a GPU.
# The library includes no CUDA header, so the shared libraries are enough. CRISPNAS_TORCH is the flavour:
# CPU links libtorch_cpu, CUDA also libtorch_cuda, AUTO takes CUDA where there are an NVIDIA GPU and the
# libraries for it.
include_guard(GLOBAL)

set(CRISPNAS_LIBTORCH_MINIMUM 2.4)
set(CRISPNAS_TORCH AUTO CACHE STRING "LibTorch flavour: AUTO, CPU or CUDA")
set_property(CACHE CRISPNAS_TORCH PROPERTY STRINGS AUTO CPU CUDA)

# The prefix (with include/ and lib/) that holds the folder of a TorchConfig.cmake; empty if there is none.
function(_crispnas_libtorch_root folder result)
  set(${result} "" PARENT_SCOPE)
  if(NOT EXISTS "${folder}/TorchConfig.cmake")
    return()
  endif()
  get_filename_component(root "${folder}" REALPATH)
  foreach(level RANGE 4)
    if(EXISTS "${root}/include/torch/csrc/api/include/torch")
      set(${result} "${root}" PARENT_SCOPE)
      return()
    endif()
    get_filename_component(root "${root}" DIRECTORY)
  endforeach()
endfunction()

# "2.11.0" out of the headers; 1.0 for those that are too old to say.
function(_crispnas_libtorch_version root result)
  set(version "")
  foreach(header IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(NOT version AND EXISTS "${root}/include/${header}")
      file(STRINGS "${root}/include/${header}" lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
      string(REGEX MATCHALL " [0-9]+" numbers "${lines}")
      string(REPLACE ";" "." version "${numbers}")
      string(REPLACE " " "" version "${version}")
    endif()
  endforeach()
  if(NOT version)
    set(version 1.0)
  endif()
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

# The folder of the torch package of a Python, found as an import would find it but in milliseconds.
function(crispnas_python_torch python result)
  set(${result} "" PARENT_SCOPE)
  execute_process(
    COMMAND "${python}" -c "import importlib.util as u
s = u.find_spec('torch')
print(list(s.submodule_search_locations)[0] if s and s.submodule_search_locations else '')"
    OUTPUT_VARIABLE folder ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE code)
  if(code EQUAL 0 AND folder)
    set(${result} "${folder}" PARENT_SCOPE)
  endif()
endfunction()

# The Python that a user would start.
function(crispnas_active_python result)
  if(Python3_EXECUTABLE)
    set(python "${Python3_EXECUTABLE}")
  else()
    find_program(crispnas_python NAMES python3 python NO_CACHE)
    set(python "${crispnas_python}")
  endif()
  set(${result} "${python}" PARENT_SCOPE)
endfunction()

function(crispnas_has_nvidia_gpu result)
  set(${result} FALSE PARENT_SCOPE)
  if(EXISTS /dev/nvidia0)
    set(${result} TRUE PARENT_SCOPE)
    return()
  endif()
  find_program(crispnas_smi nvidia-smi NO_CACHE)
  if(crispnas_smi)
    execute_process(COMMAND "${crispnas_smi}" -L OUTPUT_VARIABLE gpus ERROR_QUIET RESULT_VARIABLE code)
    if(code EQUAL 0 AND gpus MATCHES "GPU")
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

# Sets CRISPNAS_LIBTORCH_ROOT and CRISPNAS_LIBTORCH_VERSION, or CRISPNAS_LIBTORCH_ERROR. What the user named and
# is unfit is an error; what merely lies around and is unfit is passed over and mentioned.
function(crispnas_find_libtorch)
  set(CRISPNAS_LIBTORCH_ROOT "" PARENT_SCOPE)
  set(CRISPNAS_LIBTORCH_ERROR "" PARENT_SCOPE)
  set(seen "")
  set(debian "Debian's libtorch-dev is 1.13 and of no use here: leave it out of Torch_DIR and CMAKE_PREFIX_PATH.")

  set(named "")
  foreach(folder IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
    if(folder)
      list(APPEND named "${folder}")
    endif()
  endforeach()
  set(prefixes "$ENV{CMAKE_PREFIX_PATH}")
  string(REPLACE ":" ";" prefixes "${prefixes}")
  foreach(prefix IN LISTS CMAKE_PREFIX_PATH prefixes)
    list(APPEND named "${prefix}/share/cmake/Torch" "${prefix}/lib/cmake/Torch" "${prefix}/Torch")
  endforeach()

  set(around "")
  crispnas_active_python(python)
  if(python)
    crispnas_python_torch("${python}" folder)
    if(folder)
      list(APPEND around "${folder}/share/cmake/Torch")
    endif()
  endif()
  if(CRISPNAS_VENV AND EXISTS "${CRISPNAS_VENV}/crispnas-complete")
    file(GLOB folders "${CRISPNAS_VENV}/lib/python3*/site-packages/torch/share/cmake/Torch")
    list(APPEND around ${folders})
  endif()
  foreach(prefix IN LISTS CMAKE_SYSTEM_PREFIX_PATH)
    list(APPEND around "${prefix}/share/cmake/Torch" "${prefix}/lib/cmake/Torch"
         "${prefix}/lib/${CMAKE_LIBRARY_ARCHITECTURE}/cmake/Torch")
  endforeach()

  foreach(folder IN LISTS named around)
    _crispnas_libtorch_root("${folder}" root)
    if(NOT root)
      continue()
    endif()
    _crispnas_libtorch_version("${root}" version)
    if(version VERSION_GREATER_EQUAL CRISPNAS_LIBTORCH_MINIMUM)
      set(CRISPNAS_LIBTORCH_ROOT "${root}" PARENT_SCOPE)
      set(CRISPNAS_LIBTORCH_VERSION "${version}" PARENT_SCOPE)
      return()
    endif()
    set(unfit "LibTorch ${version} in ${root} is too old.")
    if(version VERSION_LESS 2)
      string(APPEND unfit " ${debian}")
    endif()
    if(folder IN_LIST named)
      set(seen "  ${unfit}\n")
      break()
    endif()
    if(NOT seen MATCHES "${version} in")
      string(APPEND seen "  ${unfit}\n")
    endif()
  endforeach()

  set(message "crispnas needs LibTorch ${CRISPNAS_LIBTORCH_MINIMUM} or later and did not find it.\n${seen}"
      "Do one of these and configure again in a new build folder:\n"
      "  python3 -m pip install torch==2.11.0   (found when that python3 is the first on PATH)\n"
      "  cmake -DCMAKE_PREFIX_PATH=<folder of an unpacked LibTorch archive> ...\n"
      "  cmake -DPython3_EXECUTABLE=<a Python that has torch> ...")
  string(CONCAT message ${message})
  set(CRISPNAS_LIBTORCH_ERROR "${message}" PARENT_SCOPE)
endfunction()

# Makes crispnas::libtorch, or sets CRISPNAS_LIBTORCH_ERROR.
function(crispnas_libtorch_target)
  if(TARGET crispnas::libtorch)
    return()
  endif()
  if(NOT CRISPNAS_TORCH MATCHES "^(AUTO|CPU|CUDA)$")
    set(CRISPNAS_LIBTORCH_ERROR "CRISPNAS_TORCH is '${CRISPNAS_TORCH}'; it is one of AUTO, CPU, CUDA." PARENT_SCOPE)
    return()
  endif()
  crispnas_find_libtorch()
  if(CRISPNAS_LIBTORCH_ERROR)
    set(CRISPNAS_LIBTORCH_ERROR "${CRISPNAS_LIBTORCH_ERROR}" PARENT_SCOPE)
    return()
  endif()
  set(root "${CRISPNAS_LIBTORCH_ROOT}")

  foreach(name IN ITEMS torch torch_cpu c10 torch_cuda c10_cuda)
    set(${name} "${root}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${name}${CMAKE_SHARED_LIBRARY_SUFFIX}")
  endforeach()
  foreach(file IN ITEMS "${torch_cpu}" "${c10}")
    if(NOT EXISTS "${file}")
      set(CRISPNAS_LIBTORCH_ERROR "LibTorch ${CRISPNAS_LIBTORCH_VERSION} in ${root} is not complete: ${file} is missing."
          PARENT_SCOPE)
      return()
    endif()
  endforeach()

  # The wheel keeps NVIDIA's libraries in packages beside it; the archive keeps them in its own lib folder.
  file(GLOB nvidia "${root}/../nvidia/*/lib")
  file(GLOB cudnn "${root}/lib/libcudnn*.so*" "${root}/../nvidia/*/lib/libcudnn.so*")
  set(flavour CPU)
  if(NOT CRISPNAS_TORCH STREQUAL "CPU")
    crispnas_has_nvidia_gpu(gpu)
    if(EXISTS "${torch_cuda}" AND (CRISPNAS_TORCH STREQUAL "CUDA" OR (gpu AND cudnn)))
      set(flavour CUDA)
    elseif(CRISPNAS_TORCH STREQUAL "CUDA")
      set(CRISPNAS_LIBTORCH_ERROR "CRISPNAS_TORCH is CUDA, but LibTorch ${CRISPNAS_LIBTORCH_VERSION} in ${root} was built \
without it: ${torch_cuda} is missing. Install another one, or set CRISPNAS_TORCH to CPU." PARENT_SCOPE)
      return()
    elseif(gpu)
      message(STATUS "crispnas: there is an NVIDIA GPU, but the LibTorch in ${root} lacks the libraries for it")
    endif()
  endif()

  add_library(crispnas::libtorch INTERFACE IMPORTED GLOBAL)
  target_include_directories(crispnas::libtorch INTERFACE "${root}/include" "${root}/include/torch/csrc/api/include")
  target_compile_features(crispnas::libtorch INTERFACE cxx_std_20)
  target_link_libraries(crispnas::libtorch INTERFACE "${torch_cpu}" "${c10}")
  foreach(folder IN LISTS nvidia)
    get_filename_component(folder "${folder}" REALPATH)
    target_link_options(crispnas::libtorch INTERFACE "LINKER:-rpath-link,${folder}")
  endforeach()
  if(flavour STREQUAL "CUDA")
    # No symbol of these is named by the program; loading them registers the CUDA kernels.
    target_link_options(crispnas::libtorch INTERFACE
                        "LINKER:--push-state,--no-as-needed,${torch_cuda},${c10_cuda},--pop-state")
  endif()
  # Before 2.7 the wheels were built with the old string of libstdc++.
  if(EXISTS "${root}/share/cmake/Torch/TorchConfig.cmake")
    file(STRINGS "${root}/share/cmake/Torch/TorchConfig.cmake" old_abi REGEX "_GLIBCXX_USE_CXX11_ABI=0")
    if(old_abi)
      target_compile_definitions(crispnas::libtorch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
    endif()
  endif()
  message(STATUS "crispnas: LibTorch ${CRISPNAS_LIBTORCH_VERSION} (${flavour}) in ${root}")
  set(CRISPNAS_LIBTORCH_ROOT "${root}" PARENT_SCOPE)
  set(CRISPNAS_LIBTORCH_VERSION "${CRISPNAS_LIBTORCH_VERSION}" PARENT_SCOPE)
  set(CRISPNAS_LIBTORCH_ERROR "" PARENT_SCOPE)
endfunction()
