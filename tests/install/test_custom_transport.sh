#!/bin/sh
# examples/custom-transport as somebody else's project: built against an installed patio only, with CMake
# and by hand with pkg-config, and through the whole conformance kit.
set -eu
unset PATIO_PLUGIN_PATH PATIO_TASK_PATH PATIO_BROKER PATIO_CONFIG DESTDIR LD_LIBRARY_PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
example=$SOURCE/examples/custom-transport
log=$work/log

# quietly WHAT COMMAND...
quietly() {
    echo "-- $1"
    shift
    "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
}

quietly "install" "$CMAKE" --install "$BUILD" --prefix "$prefix"
quietly "configure" "$CMAKE" -G Ninja -S "$example" -B "$work/build" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_PREFIX_PATH="$prefix"
quietly "build" "$CMAKE" --build "$work/build"
quietly "build with pkg-config" sh -eu -c '
    export PKG_CONFIG_PATH="$2/pkgconfig"
    mkdir -p "$4/transports"
    $1 -std=c17 -D_GNU_SOURCE -shared -fPIC "$3"/*.c -o "$4/transports/spool.so" -pthread \
        $(pkg-config --cflags patio-plugin) -Wl,-z,defs -lsqlite3 \
        -Wl,--version-script="$(pkg-config --variable=versionscript patio-plugin)"' \
    - "$CC" "$prefix/$LIBDIR" "$example" "$work/byhand"

# two processes that share nothing but the file
PATIO_PLUGIN_PATH=$work/byhand "$prefix/bin/patio" worker -b "spool://$work/work.db" -m demo 2>"$work/worker.log" &
worker=$!
trap 'kill -9 $worker 2>/dev/null || true; rm -rf "$work"' EXIT
product=$(PATIO_PLUGIN_PATH=$work/build "$prefix/bin/patio" call -b "spool://$work/work.db" --wait-route \
    --timeout 60s mul 6 7)
[ "$product" = 42 ] || { echo "6 * 7 = $product"; cat "$work/worker.log"; exit 1; }
kill -TERM $worker
wait $worker || { echo "the worker ended with code $?"; cat "$work/worker.log"; exit 1; }
echo "-- a call from one process to another: 42"

echo "-- conformance"
"$CMAKE" -E env ctest --test-dir "$work/build" --output-on-failure >"$log" 2>&1 || { cat "$log"; exit 1; }
tail -4 "$log"
