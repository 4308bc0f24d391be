# The kernels of src/engine/cuda/, compiled by nvcc and put into the engine's library. nvcc is called directly: the
# toolkit may be the system's or come in wheels (scripts/requirements-gpu.txt), whose folders CMake does not know.
set(STRIDER_CUDA_ROOT "" CACHE PATH "The CUDA toolkit's folder, with bin/nvcc")
find_program(STRIDER_NVCC nvcc HINTS ${STRIDER_CUDA_ROOT}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin REQUIRED)
get_filename_component(cuda_root ${STRIDER_NVCC} REALPATH)
get_filename_component(cuda_root ${cuda_root} DIRECTORY)
get_filename_component(cuda_root ${cuda_root} DIRECTORY)
find_path(CUDA_INCLUDE cuda_runtime.h HINTS ${cuda_root}/include REQUIRED NO_DEFAULT_PATH)
find_path(CUBLAS_INCLUDE cublasLt.h HINTS ${cuda_root}/include REQUIRED NO_DEFAULT_PATH)
find_library(CUDA_RUNTIME cudart_static HINTS ${cuda_root}/lib64 ${cuda_root}/lib REQUIRED NO_DEFAULT_PATH)
get_filename_component(cuda_libraries ${CUDA_RUNTIME} DIRECTORY)

# Machine code for what this nvcc knows of these, and PTX of the newest, which later GPUs translate for themselves.
set(STRIDER_CUDA_ARCHITECTURES "80;86;89;90;120" CACHE STRING "Compute capabilities to make code for")
execute_process(COMMAND ${STRIDER_NVCC} --list-gpu-arch OUTPUT_VARIABLE known_architectures COMMAND_ERROR_IS_FATAL ANY)
set(architectures "")
foreach(architecture ${STRIDER_CUDA_ARCHITECTURES})
  if(known_architectures MATCHES "compute_${architecture}\n")
    list(APPEND architectures -gencode arch=compute_${architecture},code=sm_${architecture})
    set(newest ${architecture})
  else()
    message(STATUS "This nvcc knows no compute capability ${architecture}: it is left out")
  endif()
endforeach()
list(APPEND architectures -gencode arch=compute_${newest},code=compute_${newest})

set(nvcc_flags -std=c++20 -O3 -I${CMAKE_SOURCE_DIR}/src ${architectures} -Xptxas -v)
if(STRIDER_WARNINGS_AS_ERRORS)
  list(APPEND nvcc_flags -Werror all-warnings -Xcompiler -Wall,-Wextra,-Wconversion,-Wno-sign-conversion,-Werror)
endif()
file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/cuda/*.cu)
foreach(source ${kernels})
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/src ${source})
  set(object ${CMAKE_BINARY_DIR}/cuda/${name}.o)
  get_filename_component(folder ${object} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
  # ptxas says what each kernel takes; a kernel that spills registers into memory is an error.
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/nvcc.sh ${object} ${STRIDER_NVCC} ${nvcc_flags} -MD -MF ${object}.d -c ${source}
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/scripts/nvcc.sh
    DEPFILE ${object}.d
    COMMENT "Compiling ${name} for the GPU"
    VERBATIM)
  target_sources(strider_engine PRIVATE ${object})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
endforeach()

target_include_directories(strider_engine SYSTEM PRIVATE ${CUDA_INCLUDE} ${CUBLAS_INCLUDE})
target_compile_definitions(strider_engine PRIVATE STRIDER_CUDA_LIBRARIES="${cuda_libraries}")
target_link_libraries(strider_engine PRIVATE ${CUDA_RUNTIME} ${CMAKE_DL_LIBS} Threads::Threads rt)
