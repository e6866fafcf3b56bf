# patio_add_plugin(NAME tcp KIND transport|executor SOURCES a.c … [LIBRARIES …])
#
# A plugin is a module without prefix, with one exported symbol, that links to nothing of patio: all
# it needs is the headers. Inside patio's own tree it lands beside the library; elsewhere in
# <build>/<KIND>s. Installed to <libdir>/patio/<KIND>s.
set(PATIO_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/patio-plugin.map)
function(patio_add_plugin)
  cmake_parse_arguments(ARG "" "NAME;KIND" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_NAME MATCHES "^[a-z][a-z0-9_]*$" OR NOT ARG_KIND MATCHES "^(transport|executor)$")
    message(FATAL_ERROR "patio_add_plugin: NAME must be [a-z][a-z0-9_]*, KIND transport or executor")
  endif()
  set(target patio_${ARG_KIND}_${ARG_NAME})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE patio::plugin ${ARG_LIBRARIES})
  if(TARGET patio_warnings)
    target_link_libraries(${target} PRIVATE patio_warnings)
  endif()
  set(folder ${CMAKE_BINARY_DIR})
  if(TARGET patio)
    set(folder ${CMAKE_BINARY_DIR}/lib/patio)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${ARG_NAME}
    C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${folder}/${ARG_KIND}s
    LINK_DEPENDS ${PATIO_PLUGIN_MAP})
  target_link_options(${target} PRIVATE -Wl,--version-script=${PATIO_PLUGIN_MAP} -Wl,-z,nodelete)
  if(NOT PATIO_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/patio/${ARG_KIND}s)
endfunction()
