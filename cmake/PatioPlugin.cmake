# patio_add_plugin(NAME tcp KIND transport|executor SOURCES a.c … [LIBRARIES …])
#
# A plugin is a module without prefix, with one exported symbol, that links to nothing of patio: all
# it needs is the headers. Inside patio's own tree it lands beside the library; elsewhere in
# <build>/<KIND>s. Installed to <libdir>/patio/<KIND>s. The target is patio_<KIND>_<NAME>.
function(patio_add_plugin)
  cmake_parse_arguments(ARG "" "NAME;KIND" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_NAME MATCHES "^[a-z][a-z0-9_]*$" OR NOT ARG_KIND MATCHES "^(transport|executor)$" OR
     NOT ARG_SOURCES)
    message(FATAL_ERROR "patio_add_plugin: NAME ([a-z][a-z0-9_]*), KIND (transport or executor) and "
                        "SOURCES are needed")
  endif()
  set(target patio_${ARG_KIND}_${ARG_NAME})
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/patio-plugin.map)
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE patio::plugin ${ARG_LIBRARIES})
  if(TARGET patio_warnings)
    target_link_libraries(${target} PRIVATE patio_warnings)
  endif()
  # An alias is the library's own tree; an installed one is an imported target.
  set(folder ${CMAKE_BINARY_DIR})
  get_target_property(library patio::patio ALIASED_TARGET)
  if(library)
    set(folder $<TARGET_FILE_DIR:${library}>/patio)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${ARG_NAME}
    C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY ${folder}/${ARG_KIND}s INSTALL_RPATH ""
    LINK_DEPENDS ${map})
  target_link_options(${target} PRIVATE -Wl,--version-script=${map} -Wl,-z,nodelete)
  # A sanitizer's runtime comes with the program.
  if(NOT PATIO_SANITIZE AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/patio/${ARG_KIND}s)
endfunction()

# patio_add_conformance_tests(TARGET patio_transport_acme URL acme://127.0.0.1:%p [NAME conform_acme]
#                             [ONLY 12,30-40] [SKIP 7] [JOBS 4] [REDELIVERY ms] [OPTIONS KEY=VALUE …]
#                             [TASK KEY=VALUE …] [LASTING KEY=VALUE …])
#
# A test that runs `patio conform` on a plugin: all cases, or those chosen. Executors need no URL;
# those of programs need a TASK that ends at once, and a LASTING one.
function(patio_add_conformance_tests)
  cmake_parse_arguments(ARG "" "TARGET;URL;NAME;ONLY;SKIP;JOBS;REDELIVERY" "OPTIONS;TASK;LASTING" ${ARGN})
  if(NOT TARGET "${ARG_TARGET}" OR NOT ARG_TARGET MATCHES "^patio_(transport|executor)_(.+)$")
    message(FATAL_ERROR "patio_add_conformance_tests: TARGET must be a plugin made by patio_add_plugin")
  endif()
  set(kind ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  if(kind STREQUAL transport AND NOT ARG_URL)
    message(FATAL_ERROR "patio_add_conformance_tests: a transport needs a URL")
  endif()
  if(NOT ARG_NAME)
    set(ARG_NAME conform_${name})
  endif()
  if(TARGET patio_cli)
    set(command $<TARGET_FILE:patio_cli>)
  else()
    find_program(PATIO_COMMAND patio HINTS ${PATIO_BINDIR} REQUIRED)
    set(command ${PATIO_COMMAND})
  endif()
  set(arguments --kind ${kind})
  foreach(word URL ONLY SKIP JOBS REDELIVERY)
    if(ARG_${word})
      string(TOLOWER ${word} option)
      list(APPEND arguments --${option} ${ARG_${word}})
    endif()
  endforeach()
  foreach(setting IN LISTS ARG_OPTIONS)
    list(APPEND arguments --option ${setting})
  endforeach()
  foreach(word TASK LASTING)
    string(TOLOWER ${word} option)
    foreach(setting IN LISTS ARG_${word})
      list(APPEND arguments --${option} ${setting})
    endforeach()
  endforeach()
  add_test(NAME ${ARG_NAME} COMMAND ${command} conform $<TARGET_FILE:${ARG_TARGET}> ${arguments})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS conform TIMEOUT 900)
endfunction()
