install(TARGETS patio patio_plugin_headers EXPORT patio_targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/patio DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
