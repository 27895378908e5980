# How our own targets are compiled; nothing here is global.

# Every floating-point result must be the one written: no contraction behind our back.
set(WENGERT_COMPILE_OPTIONS -Wall -Wextra -ffp-contract=off)
if(WENGERT_WERROR)
  list(APPEND WENGERT_COMPILE_OPTIONS -Werror)
endif()

# The CPU levels that kernels are compiled for, with their vector width and flags.
set(WENGERT_LEVELS baseline)
set(WENGERT_LEVEL_BYTES_baseline 16)
set(WENGERT_LEVEL_FLAGS_baseline "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND WENGERT_LEVELS avx2 avx512)
  set(WENGERT_LEVEL_BYTES_avx2 32)
  set(WENGERT_LEVEL_FLAGS_avx2 -mavx2 -mfma)
  set(WENGERT_LEVEL_BYTES_avx512 64)
  set(WENGERT_LEVEL_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
                                 -mprefer-vector-width=512)
endif()

# Sanitizers make the compiler many times slower than the code they watch. What is not the library is
# neither optimized nor counted for the fuzzer's sake there; kernels are not by the latter. Elsewhere
# tests are optimized as far as it costs the compiler little.
set(WENGERT_KERNEL_OPTIONS "")
set(WENGERT_USER_OPTIONS "")
set(WENGERT_TEST_OPTIONS "")
set(WENGERT_REFERENCE_OPTIONS "")
set(WENGERT_SANITIZED OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND WENGERT_BUILD_TESTS)
  set(WENGERT_TEST_OPTIONS -O1)
elseif(CMAKE_CXX_FLAGS_DEBUG MATCHES "-fsanitize=")
  set(WENGERT_SANITIZED ON)
  set(WENGERT_USER_OPTIONS -O0)
  if(CMAKE_CXX_FLAGS_DEBUG MATCHES "fuzzer-no-link")
    set(WENGERT_KERNEL_OPTIONS -fno-sanitize=fuzzer-no-link)
    list(APPEND WENGERT_USER_OPTIONS -fno-sanitize=fuzzer-no-link)
    # References compute most of what tests compute, and nobody doubts their memory.
    set(WENGERT_REFERENCE_OPTIONS -O1 -fno-sanitize=all)
  endif()
  set(WENGERT_TEST_OPTIONS ${WENGERT_USER_OPTIONS})
endif()

function(wengert_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${WENGERT_COMPILE_OPTIONS})
endfunction()
# The same for what uses the library, and for what tests it.
function(wengert_user_settings target)
  wengert_settings(${target})
  target_compile_options(${target} PRIVATE ${WENGERT_USER_OPTIONS})
endfunction()
function(wengert_test_settings target)
  wengert_settings(${target})
  target_compile_options(${target} PRIVATE ${WENGERT_TEST_OPTIONS})
endfunction()

# Headers of the standard library and of packages take most of the time that a file compiles; they
# are compiled once a target, or taken from another target: wengert_precompile(t REUSE_FROM u). One
# build goes without for the library, so that every file of it still includes what it uses.
function(wengert_precompile target)
  if(NOT PROJECT_IS_TOP_LEVEL OR (WENGERT_PLAIN_LIBRARY AND target STREQUAL "wengert"))
    return()
  endif()
  if(ARGV1 STREQUAL "REUSE_FROM")
    target_precompile_headers(${target} REUSE_FROM ${ARGV2})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
  # From a precompiled header GCC 12 no longer knows its own library's exceptions to these.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow
                                             -Wno-stringop-overread -Wno-restrict)
  endif()
endfunction()
set(WENGERT_STANDARD_HEADERS <algorithm> <array> <atomic> <cmath> <cstdint> <cstring> <functional>
    <limits> <memory> <mutex> <source_location> <span> <string> <string_view> <vector>)

# Compiles `sources` once for each level into the objects of `library`.
function(wengert_level_sources library prefix)
  foreach(level IN LISTS WENGERT_LEVELS)
    set(objects ${prefix}_${level})
    add_library(${objects} OBJECT ${ARGN})
    wengert_settings(${objects})
    set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON
                                                CXX_VISIBILITY_PRESET hidden)
    target_include_directories(${objects} PRIVATE ${WENGERT_INCLUDE_DIR})
    target_compile_definitions(${objects} PRIVATE WENGERT_LEVEL=${level}
                               WENGERT_LANE_BYTES=${WENGERT_LEVEL_BYTES_${level}})
    # Integer lanes wrap around (−INT_MIN is INT_MIN), as the ops' pages say.
    target_compile_options(${objects} PRIVATE $<IF:$<CONFIG:Debug>,-O1,-O3> -fno-math-errno -fno-trapping-math -fwrapv
                           ${WENGERT_LEVEL_FLAGS_${level}} ${WENGERT_KERNEL_OPTIONS})
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
