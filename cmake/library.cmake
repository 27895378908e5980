# The library: rooms from the lowest floor up. A new op file is found by itself.
file(GLOB graph_sources CONFIGURE_DEPENDS graph/*.cc graph/export/*.cc graph/passes/*.cc)
file(GLOB plot_sources CONFIGURE_DEPENDS plot/*.cc)
file(GLOB io_sources CONFIGURE_DEPENDS io/*.cc)
file(GLOB op_sources CONFIGURE_DEPENDS ops/*/*.cc)
list(FILTER op_sources EXCLUDE REGEX "/ops/kernels/")
file(GLOB elementwise_sources CONFIGURE_DEPENDS ops/elementwise/*.cc ops/elementwise_loss/*.cc)
list(FILTER elementwise_sources EXCLUDE REGEX "/driver\\.cc$")
file(GLOB kernel_sources CONFIGURE_DEPENDS ops/kernels/*.cc)
file(GLOB level_sources CONFIGURE_DEPENDS ops/kernels/*_level.cc)
list(FILTER kernel_sources EXCLUDE REGEX "_(level|baseline|avx2|avx512)\\.cc$")
file(GLOB update_sources CONFIGURE_DEPENDS optim/optimizers/*.cc)
file(GLOB upper_sources CONFIGURE_DEPENDS ops/*.cc ops/passes/*.cc autodiff/*.cc nn/*.cc
     nn/initializers/*.cc optim/*.cc
     optim/passes/*.cc optim/schedules/*.cc optim/training/*.cc)
list(FILTER upper_sources EXCLUDE REGEX "/optim/testing\\.cc$")

add_library(wengert SHARED ${graph_sources} ${plot_sources} ${io_sources} ${kernel_sources}
                           ${op_sources} ${upper_sources} ${update_sources})
add_library(wengert::wengert ALIAS wengert)
wengert_settings(wengert)
set_target_properties(wengert PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  POSITION_INDEPENDENT_CODE ON)
target_include_directories(wengert PUBLIC
  $<BUILD_INTERFACE:${WENGERT_INCLUDE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_definitions(wengert PRIVATE WENGERT_RECORDS)
# Calls inside the library go straight to their function, not through the PLT: a public function
# of the library is no place to interpose on.
target_compile_options(wengert PRIVATE -fno-semantic-interposition)
# Once loaded it stays: threads that computed end later than a dlclose.
target_link_options(wengert PRIVATE -Wl,-Bsymbolic-functions -Wl,-z,nodelete)
target_link_libraries(wengert PRIVATE absl::flat_hash_map absl::strings Threads::Threads
                                      ${CMAKE_DL_LIBS} mvec m ZLIB::ZLIB
                                      nlohmann_json::nlohmann_json)

wengert_precompile(wengert ${WENGERT_STANDARD_HEADERS})
wengert_level_sources(wengert wengert_elementwise ${elementwise_sources})
wengert_level_sources(wengert wengert_update ${update_sources})
if(level_sources)
  wengert_level_sources(wengert wengert_level ${level_sources})
endif()
# Files written for one level only carry its name.
foreach(level IN LISTS WENGERT_LEVELS)
  file(GLOB own_sources CONFIGURE_DEPENDS ops/kernels/*_${level}.cc)
  foreach(source IN LISTS own_sources)
    target_sources(wengert PRIVATE ${source})
    set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON
      COMPILE_OPTIONS "$<IF:$<CONFIG:Debug>,-O1,-O3>;${WENGERT_LEVEL_FLAGS_${level}};${WENGERT_KERNEL_OPTIONS}")
  endforeach()
endforeach()
