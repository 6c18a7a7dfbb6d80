# One place for the language level, the warnings and the sanitizers.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "sherd needs clang 19 or later (g++ 12 miscompiles coroutines); run `make deps`, "
                      "then configure with one of the presets, e.g. `cmake --preset release`.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()
add_link_options(-fuse-ld=lld-19)

option(SHERD_FUZZ "Build the libFuzzer targets" OFF)
set(SHERD_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

add_library(sherd_flags INTERFACE)
target_compile_options(sherd_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wnull-dereference -Wextra-semi -Wimplicit-fallthrough -Werror)
# Fault points fire only where a test asks for them; a release build for operators can leave them out.
option(SHERD_FAULT_POINTS "Compile the named fault points in" ON)
if(SHERD_FAULT_POINTS)
  target_compile_definitions(sherd_flags INTERFACE SHERD_FAULT_POINTS=1)
endif()
if(SHERD_SANITIZE)
  add_compile_options(-fsanitize=${SHERD_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SHERD_SANITIZE})
endif()
if(SHERD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
