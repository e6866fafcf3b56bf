# Warnings for all of our own code; errors in the presets, not for users who build a release.
add_library(patio_warnings INTERFACE)
target_compile_options(patio_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wswitch-enum -Wpointer-arith
  $<$<BOOL:${PATIO_WERROR}>:-Werror>)
