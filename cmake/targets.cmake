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

function(wengert_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${WENGERT_COMPILE_OPTIONS})
endfunction()

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
                           ${WENGERT_LEVEL_FLAGS_${level}})
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()
