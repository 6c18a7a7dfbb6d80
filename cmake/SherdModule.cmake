# sherd_module(NAME <name> [DEPENDS <module>...] [LINK <target>...])
#
# Makes the target sherd_<name> from src/<name>/*.cpp, its tests (<name>_test, from *_test.cpp) and its benchmarks
# (<name>_bench, from *_bench.cpp). A module can name only modules that are targets already, so a cycle cannot be
# written down; it exports only its own include/; each of its headers is compiled alone.

# Everything that `ctest -L unit` runs.
add_custom_target(unit_tests)

function(sherd_module)
  cmake_parse_arguments(M "" "NAME" "DEPENDS;LINK" ${ARGN})
  set(target sherd_${M_NAME})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR})

  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/*_test.cpp)
  file(GLOB benches CONFIGURE_DEPENDS ${dir}/*_bench.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${dir}/include/sherd/${M_NAME}/*.hpp)
  list(REMOVE_ITEM sources ${tests} ${benches} "")

  # Each public header must compile alone.
  foreach(header IN LISTS headers)
    get_filename_component(stem ${header} NAME_WE)
    set(alone ${CMAKE_CURRENT_BINARY_DIR}/alone/${stem}.cpp)
    file(CONFIGURE OUTPUT ${alone} CONTENT "#include <sherd/${M_NAME}/${stem}.hpp>\n" @ONLY)
    list(APPEND sources ${alone})
  endforeach()

  if(NOT sources)
    message(FATAL_ERROR "module ${M_NAME} has no sources")
  endif()
  add_library(${target} STATIC ${sources})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(${target} PUBLIC ${dir}/include PRIVATE ${dir})
  target_link_libraries(${target} PUBLIC fmt::fmt ${M_LINK} PRIVATE sherd_flags)
  foreach(dependency IN LISTS M_DEPENDS)
    if(NOT TARGET sherd_${dependency})
      message(FATAL_ERROR "module ${M_NAME} may not know ${dependency}: it is not below it (see CMakeLists.txt)")
    endif()
    target_link_libraries(${target} PUBLIC sherd_${dependency})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY SHERD_MODULES ${M_NAME})

  if(tests)
    add_executable(${M_NAME}_test ${tests})
    target_include_directories(${M_NAME}_test PRIVATE ${dir})
    target_link_libraries(${M_NAME}_test PRIVATE ${target} sherd_flags GTest::gmock GTest::gtest_main)
    target_compile_definitions(${M_NAME}_test PRIVATE SHERD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME ${M_NAME} COMMAND ${M_NAME}_test)
    set_tests_properties(${M_NAME} PROPERTIES LABELS unit TIMEOUT 300)
    add_dependencies(unit_tests ${M_NAME}_test)
  endif()
  if(benches)
    add_executable(${M_NAME}_bench ${benches})
    target_link_libraries(${M_NAME}_bench PRIVATE ${target} sherd_flags benchmark::benchmark_main)
  endif()
endfunction()
