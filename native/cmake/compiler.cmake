# The language level, the warnings, and a sentence for a compiler that cannot do it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 11)
    message(FATAL_ERROR "flowclass needs a C++20 compiler: g++ >= 11 or clang++ >= 14, found g++ ${CMAKE_CXX_COMPILER_VERSION}. "
        "On Debian or Ubuntu: apt-get install g++; then set CXX to the newer one.")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    message(FATAL_ERROR "flowclass needs a C++20 compiler: g++ >= 11 or clang++ >= 14, found clang ${CMAKE_CXX_COMPILER_VERSION}. "
        "On Debian or Ubuntu: apt-get install g++; then set CXX=g++.")
endif()
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
if(FLOWCLASS_SANITIZE)
    # Lines for the reports; all of -O2 -g would take twice as long to compile.
    set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")
endif()
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

add_library(flowclass_options INTERFACE)
target_compile_options(flowclass_options INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(FLOWCLASS_WERROR)
    target_compile_options(flowclass_options INTERFACE -Werror)
endif()
if(FLOWCLASS_ASSERTIONS OR FLOWCLASS_SANITIZE)
    target_compile_definitions(flowclass_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(FLOWCLASS_SANITIZE)
    # Not vptr: it reads the type information that the core is built without.
    target_compile_options(flowclass_options INTERFACE
        -fsanitize=${FLOWCLASS_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(flowclass_options INTERFACE -fsanitize=${FLOWCLASS_SANITIZE})
endif()
