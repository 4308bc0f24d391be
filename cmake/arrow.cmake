# Apache Arrow's C++ library, as the target strider_arrow: the system's (or conda's) where CMake finds one, else the headers
# and the library that the pinned pyarrow wheel carries.
set(STRIDER_PYTHON "" CACHE FILEPATH "A Python whose pyarrow is used when there is no system Arrow")

# The first version whose headers have all that src/data uses.
set(STRIDER_OLDEST_ARROW 14)

add_library(strider_arrow INTERFACE)
find_package(Arrow CONFIG QUIET)
if(Arrow_FOUND AND Arrow_VERSION VERSION_LESS STRIDER_OLDEST_ARROW)
  message(STATUS "Arrow ${Arrow_VERSION} of the system is older than ${STRIDER_OLDEST_ARROW}: passed over")
  set(Arrow_FOUND FALSE)
endif()
if(Arrow_FOUND)
  message(STATUS "Arrow ${Arrow_VERSION} of the system")
  target_link_libraries(strider_arrow INTERFACE $<IF:$<TARGET_EXISTS:Arrow::arrow_shared>,Arrow::arrow_shared,Arrow::arrow_static>)
else()
  set(python ${STRIDER_PYTHON})
  if(NOT python AND EXISTS ${CMAKE_SOURCE_DIR}/build/python/bin/python)
    set(python ${CMAKE_SOURCE_DIR}/build/python/bin/python)
  endif()
  if(NOT python)
    set(python python3)
  endif()
  execute_process(
    COMMAND ${python} -c "import pyarrow; print(pyarrow.get_include(), *pyarrow.get_library_dirs(), sep=';')"
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(failed)
    message(FATAL_ERROR "No Apache Arrow: install libarrow-dev, or run\n"
                        "  scripts/python_env.sh build/python scripts/requirements-build.txt\n"
                        "or name a Python that has pyarrow with -DSTRIDER_PYTHON=...")
  endif()
  list(POP_FRONT found include)
  unset(library)
  foreach(folder ${found})
    file(GLOB candidates ${folder}/libarrow.so.* ${folder}/libarrow.so)  # the wheel has the versioned name only
    if(candidates)
      list(GET candidates 0 library)
      break()
    endif()
  endforeach()
  if(NOT library)
    message(FATAL_ERROR "pyarrow of ${python} has no libarrow.so beside it")
  endif()
  message(STATUS "Arrow of pyarrow: ${library}")
  add_library(strider_pyarrow SHARED IMPORTED)
  set_target_properties(strider_pyarrow PROPERTIES IMPORTED_LOCATION ${library})
  target_include_directories(strider_pyarrow SYSTEM INTERFACE ${include})
  target_link_libraries(strider_arrow INTERFACE strider_pyarrow)
endif()
