# patio_add_task_module(NAME demo SOURCES demo.c … [LIBRARIES …])
#
# A task module is a shared library without prefix that PATIO_TASK_MODULE makes loadable: patio worker
# -m demo, or patio_registry_load. Inside patio's own tree it lands where an installed one would be;
# elsewhere in <build>. Installed to <libdir>/patio/tasks.
function(patio_add_task_module)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_NAME MATCHES "^[A-Za-z0-9_-]+$" OR NOT ARG_SOURCES)
    message(FATAL_ERROR "patio_add_task_module: NAME ([A-Za-z0-9_-]+) and SOURCES are needed")
  endif()
  set(target patio_tasks_${ARG_NAME})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE patio::patio ${ARG_LIBRARIES})
  if(TARGET patio_warnings)
    target_link_libraries(${target} PRIVATE patio_warnings)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${ARG_NAME} C_VISIBILITY_PRESET hidden)
  # An alias is the library's own tree; an installed one is an imported target.
  get_target_property(library patio::patio ALIASED_TARGET)
  if(library)
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:${library}>/patio/tasks
      INSTALL_RPATH "$ORIGIN/../..")
  endif()
  # Loaded code stays: a task may still run on another thread when a registry goes.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete)
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/patio/tasks)
endfunction()
