# Libraries that ship a pkg-config file or nothing at all.
find_package(PkgConfig REQUIRED)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)

# libxsmm makes the small-matrix kernels at run time. "noblas" gives the BLAS symbols that it only falls back to.
find_path(XSMM_INCLUDE libxsmm.h REQUIRED)
find_library(XSMM_LIBRARY xsmm REQUIRED)
find_library(XSMM_NOBLAS_LIBRARY xsmmnoblas REQUIRED)
add_library(strider_xsmm INTERFACE)
target_include_directories(strider_xsmm SYSTEM INTERFACE ${XSMM_INCLUDE})
target_link_libraries(strider_xsmm INTERFACE ${XSMM_LIBRARY} ${XSMM_NOBLAS_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS})
