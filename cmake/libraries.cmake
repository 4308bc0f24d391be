# Libraries that ship a pkg-config file or nothing at all.
find_package(PkgConfig REQUIRED)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)

# libxsmm makes the small-matrix kernels at run time, on x86 alone. "noblas" gives the BLAS symbols that it only falls
# back to.
add_library(strider_xsmm INTERFACE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  find_path(XSMM_INCLUDE libxsmm.h REQUIRED)
  find_library(XSMM_LIBRARY xsmm REQUIRED)
  find_library(XSMM_NOBLAS_LIBRARY xsmmnoblas REQUIRED)
  target_include_directories(strider_xsmm SYSTEM INTERFACE ${XSMM_INCLUDE})
  target_link_libraries(strider_xsmm INTERFACE ${XSMM_LIBRARY} ${XSMM_NOBLAS_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS})
  target_compile_definitions(strider_xsmm INTERFACE STRIDER_HAS_XSMM=1)
else()
  target_compile_definitions(strider_xsmm INTERFACE STRIDER_HAS_XSMM=0)
endif()
