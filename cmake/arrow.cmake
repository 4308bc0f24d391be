add_library(strider_arrow INTERFACE)
