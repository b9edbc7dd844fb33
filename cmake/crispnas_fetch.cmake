# The two ways in which this project fetches what is missing. crispnas_dependencies.cmake decides whether it may.

# crispnas_apt_install(packages...): installs Debian packages where that is possible without asking anybody.
function(crispnas_apt_install)
  list(JOIN ARGN " " packages)
  find_program(crispnas_apt apt-get NO_CACHE)
  execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT crispnas_apt OR NOT EXISTS /etc/debian_version OR NOT user STREQUAL "0")
    message(STATUS "crispnas: not root on a Debian-like system, so these are yours to install: ${packages}")
    return()
  endif()
  message(STATUS "crispnas: installing ${packages} with apt-get")
  set(install "${CMAKE_COMMAND}" -E env DEBIAN_FRONTEND=noninteractive
              "${crispnas_apt}" install -y -q --no-install-recommends ${ARGN})
  execute_process(COMMAND ${install} RESULT_VARIABLE code OUTPUT_VARIABLE log ERROR_VARIABLE log)
  if(NOT code EQUAL 0)  # the package lists are old or empty
    execute_process(COMMAND "${crispnas_apt}" update -q OUTPUT_VARIABLE log ERROR_VARIABLE log)
    execute_process(COMMAND ${install} RESULT_VARIABLE code OUTPUT_VARIABLE log ERROR_VARIABLE log)
  endif()
  if(NOT code EQUAL 0)
    message(STATUS "crispnas: apt-get did not install them:\n${log}")
  endif()
endfunction()

# LibTorch by pip into CRISPNAS_VENV. Without an NVIDIA GPU two of NVIDIA's packages are enough to load it.
function(crispnas_pip_install_torch)
  set(version 2.11.0)
  crispnas_active_python(python)
  if(NOT python)
    message(FATAL_ERROR "crispnas: no python3, which would fetch LibTorch. Install it (Debian: apt-get install "
                        "python3-venv), or set CMAKE_PREFIX_PATH to an unpacked LibTorch archive.")
  endif()
  # The demo and the test configuration share the environment and may start at the same time.
  get_filename_component(parent "${CRISPNAS_VENV}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(LOCK "${CRISPNAS_VENV}.lock" GUARD FUNCTION TIMEOUT 1800)

  set(make_venv "${python}" -m venv "${CRISPNAS_VENV}")
  execute_process(COMMAND ${make_venv} RESULT_VARIABLE code OUTPUT_VARIABLE log ERROR_VARIABLE log)
  if(NOT code EQUAL 0)  # Debian keeps the module in a package of its own
    crispnas_apt_install(python3-venv)
    execute_process(COMMAND ${make_venv} RESULT_VARIABLE code OUTPUT_VARIABLE log ERROR_VARIABLE log)
  endif()
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "crispnas: ${python} -m venv failed (Debian: apt-get install python3-venv):\n${log}")
  endif()

  crispnas_has_nvidia_gpu(gpu)
  set(packages torch==${version})
  if(gpu)
    message(STATUS "crispnas: fetching torch ${version} with CUDA into ${CRISPNAS_VENV} (several GB, once)")
  else()
    message(STATUS "crispnas: no NVIDIA GPU; fetching the minimal torch ${version} into ${CRISPNAS_VENV} (0.5 GB, once)")
    list(PREPEND packages --no-deps)
    list(APPEND packages nvidia-cuda-runtime nvidia-cuda-cupti)
  endif()
  execute_process(COMMAND "${CRISPNAS_VENV}/bin/python" -m pip install --disable-pip-version-check ${packages}
                  RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "crispnas: pip did not install LibTorch (its message stands above). Is there a network? "
                        "To install it yourself: ${CRISPNAS_VENV}/bin/python -m pip install ${packages}")
  endif()
  file(TOUCH "${CRISPNAS_VENV}/crispnas-complete")  # an interrupted download leaves none and is taken up again
endfunction()
