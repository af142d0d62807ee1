# Installs into a new folder and builds the examples from there, as an embedder does: by find_package, then by pkg-config.
# cmake -DBUILD=... -DSOURCE=... -DWORK=... -DCC=... [-DSANITIZE=-fsanitize=...] -DCAPTURE=... -P installed.cmake
cmake_minimum_required(VERSION 3.21)
file(REMOVE_RECURSE ${WORK})
set(prefix ${WORK}/prefix)
function(run)
    execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD} --component capi --prefix ${prefix})

run(${CMAKE_COMMAND} -S ${SOURCE}/examples/c -B ${WORK}/build -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_C_FLAGS=${SANITIZE})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/classify ${CAPTURE})
run(${WORK}/build/match_head)

find_program(PKG_CONFIG NAMES pkg-config pkgconf)
if(NOT PKG_CONFIG)
    message(FATAL_ERROR "there is no pkg-config")
endif()
file(GLOB_RECURSE pc ${prefix}/flowclass.pc)
get_filename_component(folder ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${folder})
execute_process(COMMAND ${PKG_CONFIG} --cflags --libs flowclass OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY
                OUTPUT_STRIP_TRAILING_WHITESPACE)
separate_arguments(flags UNIX_COMMAND "${flags}")
execute_process(COMMAND ${PKG_CONFIG} --variable=libdir flowclass OUTPUT_VARIABLE libdir COMMAND_ERROR_IS_FATAL ANY
                OUTPUT_STRIP_TRAILING_WHITESPACE)
foreach(example IN ITEMS classify match_head)
    run(${CC} -std=c11 -Wall -Wextra -Werror -pedantic ${SANITIZE} ${SOURCE}/examples/c/${example}.c ${flags}
        -Wl,-rpath,${libdir} -o ${WORK}/${example})
endforeach()
run(${WORK}/classify ${CAPTURE})
run(${WORK}/match_head)
