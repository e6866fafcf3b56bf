# Man pages are made from --help, so they say what the command says.
find_program(HELP2MAN help2man)
if(NOT HELP2MAN OR CMAKE_CROSSCOMPILING)
  message(STATUS "patio: no man pages (help2man is missing, or the command cannot run here)")
  return()
endif()

# patio_man_page(<page> <one line> <option that prints the help>)
function(patio_man_page page line option)
  set(extra ${CMAKE_CURRENT_BINARY_DIR}/${page}.h2m)
  file(CONFIGURE OUTPUT ${extra} CONTENT [=[
[name]
@page@ \- @line@

[see also]
.BR patio (1),
.BR patio-worker (1),
.BR patio-call (1),
.BR patio-send (1),
.BR patio-cancel (1),
.BR patio-result (1),
.BR patio-stats (1),
.BR patio-workers (1),
.BR patio-ping (1),
.BR patio-dlq (1),
.BR patio-purge (1),
.BR patio-pause (1),
.BR patio-resume (1),
.BR patio-drain (1),
.BR patio-limit (1),
.BR patio-doctor (1),
.BR patio-topology (1),
.BR patio-peers (1),
.BR patio-plugins (1),
.BR patio-describe (1),
.BR patio-bench (1),
.BR patio-conform (1)
]=] @ONLY)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${page}.1)
  add_custom_command(OUTPUT ${out}
    COMMAND ${HELP2MAN} --no-info --include=${extra} --version-string=${PROJECT_VERSION}
            "--help-option=${option}" --output=${out} $<TARGET_FILE:patio_cli>
    DEPENDS patio_cli ${extra} COMMENT "Writing ${page}.1" VERBATIM)
  set_property(GLOBAL APPEND PROPERTY patio_man_pages ${out})
endfunction()

patio_man_page(patio "distributed task execution" "--help")
patio_man_page(patio-worker "run tasks until it is told to stop" "worker --help")
patio_man_page(patio-call "call a task, wait for its result and print it" "call --help")
patio_man_page(patio-send "hand over a task and print its id" "send --help")
patio_man_page(patio-cancel "cancel a task by its id" "cancel --help")
patio_man_page(patio-result "show what became of a task" "result --help")
patio_man_page(patio-stats "show what the queues hold" "stats --help")
patio_man_page(patio-workers "list the workers that are there" "workers --help")
patio_man_page(patio-ping "ask who is there" "ping --help")
patio_man_page(patio-dlq "look after dead letters" "dlq --help")
patio_man_page(patio-purge "remove what waits in a queue" "purge --help")
patio_man_page(patio-pause "stop a queue from handing out tasks" "pause --help")
patio_man_page(patio-resume "open a queue again" "resume --help")
patio_man_page(patio-drain "let a queue be worked off" "drain --help")
patio_man_page(patio-limit "bound the tasks of a queue that run at once" "limit --help")
patio_man_page(patio-doctor "check what the transport stands on" "doctor --help")
patio_man_page(patio-topology "print what must be created on the server" "topology --help")
patio_man_page(patio-peers "list who this end is connected with" "peers --help")
patio_man_page(patio-plugins "list installed transports and executors" "plugins --help")
patio_man_page(patio-describe "show the options of a plugin, or the tasks of a module" "describe --help")
patio_man_page(patio-bench "measure calls and sends" "bench --help")
patio_man_page(patio-conform "check a plugin against the delivery contract" "conform --help")
get_property(man_pages GLOBAL PROPERTY patio_man_pages)
add_custom_target(patio_man ALL DEPENDS ${man_pages})
install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
