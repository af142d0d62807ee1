# libflowclass.so: the C ABI of include/flowclass/flowclass.h over the core, and what is installed for those who link to it.
# Only this room may meet exceptions: it turns them into codes (the core asks for memory by new, which throws).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

file(STRINGS ${PROJECT_SOURCE_DIR}/pyproject.toml version_line REGEX "^version = ")
string(REGEX REPLACE "^version = \"([0-9.]+)\"$" "\\1" FLOWCLASS_VERSION "${version_line}")
set(c_header ${CMAKE_CURRENT_SOURCE_DIR}/include/flowclass/flowclass.h)
file(STRINGS ${c_header} abi_line REGEX "^#define FLOWCLASS_ABI_VERSION ")
string(REGEX REPLACE "^#define FLOWCLASS_ABI_VERSION ([0-9]+)$" "\\1" FLOWCLASS_ABI_VERSION "${abi_line}")
if(NOT FLOWCLASS_VERSION MATCHES "^[0-9.]+$" OR NOT FLOWCLASS_ABI_VERSION MATCHES "^[0-9]+$")
    message(FATAL_ERROR "no version in pyproject.toml, or no FLOWCLASS_ABI_VERSION in ${c_header}")
endif()

# Objects, because tests and the fuzz target link them without the library around.
file(GLOB capi_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/capi/*.cpp)
add_library(flowclass_capi OBJECT ${capi_sources})
target_compile_definitions(flowclass_capi PRIVATE FLOWCLASS_VERSION="${FLOWCLASS_VERSION}")
target_compile_options(flowclass_capi PRIVATE -fno-rtti)
target_link_libraries(flowclass_capi PRIVATE flowclass_options PUBLIC flowclass_core)

set(exported ${CMAKE_CURRENT_SOURCE_DIR}/src/capi/exported.map)
add_library(flowclass SHARED $<TARGET_OBJECTS:flowclass_capi>)
add_library(flowclass::flowclass ALIAS flowclass)
set_target_properties(flowclass PROPERTIES
    VERSION ${FLOWCLASS_ABI_VERSION} SOVERSION ${FLOWCLASS_ABI_VERSION} LINKER_LANGUAGE CXX LINK_DEPENDS ${exported})
target_include_directories(flowclass INTERFACE
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(flowclass PRIVATE flowclass_core flowclass_options)
target_link_options(flowclass PRIVATE -Wl,--version-script=${exported})
if(NOT FLOWCLASS_SANITIZE)
    # What is missing shows here and not when a program starts; a sanitizer's own functions come from the program.
    target_link_options(flowclass PRIVATE -Wl,-z,defs)
endif()

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/flowclass)
install(TARGETS flowclass EXPORT flowclass LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT capi)
install(FILES ${c_header} ${CMAKE_CURRENT_SOURCE_DIR}/include/flowclass/arrow_c_abi.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/flowclass COMPONENT capi)
install(EXPORT flowclass NAMESPACE flowclass:: FILE flowclassConfig.cmake DESTINATION ${config_folder} COMPONENT capi)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/flowclassConfigVersion.cmake
    VERSION ${FLOWCLASS_VERSION} COMPATIBILITY SameMajorVersion)
# Found from where the file lies, so that an installation can be moved.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/flowclass.pc.in ${CMAKE_CURRENT_BINARY_DIR}/flowclass.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flowclassConfigVersion.cmake DESTINATION ${config_folder} COMPONENT capi)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/flowclass.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT capi)
