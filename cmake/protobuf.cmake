# TensorBoard's event format: the code that protoc makes from src/report/event.proto, as the target strider_event_format,
# whose header is included as "report/event.pb.h". Where there is no libprotobuf or no protoc, STRIDER_HAS_PROTOBUF is 0 and
# the program is built without event files.
find_package(Protobuf CONFIG QUIET) # versions from 22 on, whose own file names what else to link
if(NOT Protobuf_FOUND)
  find_package(Protobuf QUIET)
endif()
if(TARGET protobuf::protoc AND TARGET protobuf::libprotobuf-lite)
  set(generated ${CMAKE_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(
    OUTPUT ${generated}/report/event.pb.cc ${generated}/report/event.pb.h
    COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src --cpp_out=${generated} report/event.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/src/report/event.proto
    VERBATIM)
  add_library(strider_event_format STATIC ${generated}/report/event.pb.cc ${generated}/report/event.pb.h)
  target_compile_options(strider_event_format PRIVATE -w) # the warnings of generated code are not ours
  target_include_directories(strider_event_format SYSTEM PUBLIC ${generated})
  target_link_libraries(strider_event_format PUBLIC protobuf::libprotobuf-lite)
  target_compile_definitions(strider_event_format PUBLIC STRIDER_HAS_PROTOBUF=1)
else()
  message(STATUS "No libprotobuf-dev and protobuf-compiler: building without TensorBoard's event files")
  add_library(strider_event_format INTERFACE)
  target_compile_definitions(strider_event_format INTERFACE STRIDER_HAS_PROTOBUF=0)
endif()
