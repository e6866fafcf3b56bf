#!/bin/sh
# Install into a folder of our own, then use it as other projects would: with CMake, with pkg-config,
# from another place, and nothing of it in the environment.
set -eu
unset PATIO_PLUGIN_PATH PATIO_TASK_PATH PATIO_BROKER PATIO_CONFIG DESTDIR LD_LIBRARY_PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
consumer=$SOURCE/tests/install/consumer
log=$work/log

# quietly WHAT COMMAND...
quietly() {
    echo "-- $1"
    shift
    "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

# says TEXT COMMAND...: its output is TEXT, in an environment without anything
says() {
    expected=$1
    shift
    found=$(env -i "$@" 2>&1) || { echo "$*: $found"; exit 1; }
    [ "$found" = "$expected" ] || { echo "$*: \"$found\" instead of \"$expected\""; exit 1; }
    echo "-- $*: $found"
}

there() {
    for file in "$@"; do
        [ -e "$file" ] || { echo "not installed: ${file#"$prefix/"}"; exit 1; }
    done
}

quietly "install" "$CMAKE" --install "$BUILD" --prefix "$prefix"
there "$prefix/$LIBDIR/libpatio.so" "$prefix/include/patio/patio.h" \
    "$prefix/$LIBDIR/patio/transports/memory.so" "$prefix/$LIBDIR/patio/executors/thread.so" \
    "$prefix/share/patio/proto/patio/v1/envelope.proto"
if [ -x "$BUILD/bin/patio" ]; then
    there "$prefix/bin/patio" "$prefix/share/man/man1/patio.1" \
        "$prefix/share/bash-completion/completions/patio" "$prefix/$LIBDIR/patio/tasks/demo.so"
fi

quietly "configure a project with find_package(patio)" "$CMAKE" -G Ninja -S "$consumer" \
    -B "$work/consumer" -DCMAKE_C_COMPILER="$CC" -DCMAKE_PREFIX_PATH="$prefix"
quietly "build it" "$CMAKE" --build "$work/consumer"
says '42 in thread' "$work/consumer/program" thread
says 'hello, patio in lone' PATIO_PLUGIN_PATH="$work/consumer" "$work/consumer/program" lone \
    "$work/consumer/greeting.so"

quietly "install it beside patio" "$CMAKE" --install "$work/consumer" --prefix "$prefix"
there "$prefix/$LIBDIR/patio/executors/lone.so" "$prefix/$LIBDIR/patio/tasks/greeting.so"
says 'hello, patio in lone' "$work/consumer/program" lone greeting

quietly "build with pkg-config" sh -eu -c '
    export PKG_CONFIG_PATH="$2/pkgconfig"
    libs="$(pkg-config --cflags --libs patio) -Wl,-rpath,$(pkg-config --variable=libdir patio)"
    $1 "$3/program.c" -o "$4/program" $libs
    $1 -shared -fPIC "$3/lone.c" -o "$4/lone.so" -pthread $(pkg-config --cflags --libs patio-plugin) \
        -Wl,-z,defs -Wl,--version-script="$(pkg-config --variable=versionscript patio-plugin)"
    [ -d "$(pkg-config --variable=transportdir patio-plugin)" ]
    cp "$4/lone.so" "$(pkg-config --variable=executordir patio-plugin)"' \
    - "$CC" "$prefix/$LIBDIR" "$consumer" "$work"
says '42 in thread' "$work/program" thread
says 'hello, patio in lone' "$work/program" lone greeting

# The program that README.md shows.
awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$SOURCE/README.md" >"$work/readme.c"
quietly "build the README's program" "$CC" -Wall -Wextra -Werror "$work/readme.c" -o "$work/readme" \
    -I "$prefix/include" -L "$prefix/$LIBDIR" -lpatio -Wl,-rpath,"$prefix/$LIBDIR"
says '6 * 7 = 42' "$work/readme"

quietly "build against the build tree" "$CC" "$consumer/program.c" -o "$work/uninstalled" \
    -I "$SOURCE/core/include" -L "$BUILD/lib" -lpatio -Wl,-rpath,"$BUILD/lib"
says '42 in thread' "$work/uninstalled" thread

echo "-- move the installation"
mv "$prefix" "$work/moved"
says '42 in thread' LD_LIBRARY_PATH="$work/moved/$LIBDIR" "$work/consumer/program" thread
if [ -x "$work/moved/bin/patio" ]; then
    says 42 "$work/moved/bin/patio" call -b memory:// -m demo mul 6 7
    says 42 "$BUILD/bin/patio" call -b memory:// -m demo mul 6 7
fi
