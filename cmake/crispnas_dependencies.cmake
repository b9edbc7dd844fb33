# What do the library and its own programs need, and how does the project get what is missing? LibTorch first,
# then the packages of the tests, examples and benchmarks. Fetching happens only with
# CRISPNAS_FETCH_DEPENDENCIES, and only where this project is the top-level one: as a part of another project it
# installs nothing, whatever the option says.
include(crispnas_libtorch)
include(crispnas_fetch)

set(CRISPNAS_VENV "${PROJECT_BINARY_DIR}/venv" CACHE PATH "Virtual environment that LibTorch is fetched into")
set(CRISPNAS_FASHION_MNIST_DIR /usr/share/datasets/fashion-mnist CACHE PATH "Folder of the Fashion-MNIST files")
set(crispnas_may_fetch FALSE)
if(CRISPNAS_FETCH_DEPENDENCIES AND PROJECT_IS_TOP_LEVEL)
  set(crispnas_may_fetch TRUE)
elseif(CRISPNAS_FETCH_DEPENDENCIES)
  message(STATUS "crispnas: CRISPNAS_FETCH_DEPENDENCIES has no effect inside another project")
endif()

# Packages by CMake's name, with the target that proves them and Debian's name.
set(crispnas_needs "")
if(CRISPNAS_BUILD_TESTS OR CRISPNAS_BUILD_EXAMPLES OR CRISPNAS_BUILD_BENCH)
  find_package(Threads REQUIRED)
  list(APPEND crispnas_needs "fmt fmt::fmt-header-only libfmt-dev" "CLI11 CLI11::CLI11 libcli11-dev"
       "nlohmann_json nlohmann_json::nlohmann_json nlohmann-json3-dev" "ZLIB ZLIB::ZLIB zlib1g-dev"
       "JPEG JPEG::JPEG libjpeg-dev")
endif()
if(CRISPNAS_BUILD_TESTS)
  list(APPEND crispnas_needs "doctest doctest::doctest doctest-dev")
endif()
if(CRISPNAS_BUILD_BENCH)
  list(APPEND crispnas_needs "benchmark benchmark::benchmark libbenchmark-dev")
endif()

# A macro, since find_package makes targets and variables in the scope of its caller.
macro(crispnas_find_packages)
  set(crispnas_missing "")
  foreach(crispnas_need IN LISTS crispnas_needs)
    separate_arguments(crispnas_need)
    list(GET crispnas_need 1 crispnas_target)
    if(NOT TARGET ${crispnas_target})
      list(GET crispnas_need 0 crispnas_name)
      find_package(${crispnas_name} QUIET)
    endif()
    if(NOT TARGET ${crispnas_target})
      list(GET crispnas_need 2 crispnas_package)
      list(APPEND crispnas_missing ${crispnas_package})
    endif()
  endforeach()
endmacro()

crispnas_find_packages()
set(crispnas_wanted ${crispnas_missing})
if(CRISPNAS_BUILD_EXAMPLES AND NOT EXISTS "${CRISPNAS_FASHION_MNIST_DIR}/train-images-idx3-ubyte.gz")
  list(APPEND crispnas_wanted dataset-fashion-mnist)
endif()
if(crispnas_wanted AND crispnas_may_fetch)
  crispnas_apt_install(${crispnas_wanted})
  crispnas_find_packages()
endif()
if(crispnas_missing)
  list(JOIN crispnas_missing " " crispnas_missing)
  message(FATAL_ERROR "crispnas: the tests, examples and benchmarks need packages that are not installed. On Debian or "
                      "Ubuntu install them with\n  apt-get install ${crispnas_missing}\n"
                      "or turn CRISPNAS_BUILD_TESTS, CRISPNAS_BUILD_EXAMPLES and CRISPNAS_BUILD_BENCH off: the library "
                      "itself needs LibTorch only.")
endif()
if(CRISPNAS_BUILD_EXAMPLES AND NOT EXISTS "${CRISPNAS_FASHION_MNIST_DIR}/train-images-idx3-ubyte.gz")
  message(STATUS "crispnas: no Fashion-MNIST in ${CRISPNAS_FASHION_MNIST_DIR}; the demo needs it. On Debian or Ubuntu: "
                 "apt-get install dataset-fashion-mnist")
endif()

if(CRISPNAS_SPEC_ONLY)
  return()
endif()
crispnas_libtorch_target()
if(NOT TARGET crispnas::libtorch AND crispnas_may_fetch)
  crispnas_pip_install_torch()
  crispnas_libtorch_target()
endif()
if(NOT TARGET crispnas::libtorch)
  if(PROJECT_IS_TOP_LEVEL AND NOT crispnas_may_fetch)
    string(APPEND CRISPNAS_LIBTORCH_ERROR "\n  cmake -DCRISPNAS_FETCH_DEPENDENCIES=ON ...   (into ${CRISPNAS_VENV})")
  endif()
  message(FATAL_ERROR "${CRISPNAS_LIBTORCH_ERROR}")
endif()
