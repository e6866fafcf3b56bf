#!/bin/sh
# headers.sh INCLUDE_DIR CC CXX: every public header compiles alone and twice, without a warning, as C
# and as C++. Headers of the plugin ABI are also C11, and have no hidden padding.
set -u
include=$1
cc=$2
cxx=$3
abi=" base message host plugin transport executor dead results queues presence doctor topology peers poll "
strict="-fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror"
wrong=0

# try COMPILER LANGUAGE HEADER FLAGS...
try() {
    compiler=$1
    language=$2
    header=$3
    shift 3
    printf '#include <patio/%s.h>\n#include <patio/%s.h>\n' "$header" "$header" |
        "$compiler" -x "$language" $strict "$@" -I "$include" - ||
        { echo "patio/$header.h: refused by $compiler $*"; wrong=1; }
}

count=0
for path in "$include"/patio/*.h; do
    header=$(basename "$path" .h)
    count=$((count + 1))
    case $abi in
    *" $header "*)
        try "$cc" c "$header" -std=c11 -Wpadded
        try "$cc" c "$header" -std=c17 -Wpadded
        ;;
    *)
        gnu= # they say that they need it
        case $header in spin | child_socket | child_ring) gnu=-D_GNU_SOURCE ;; esac
        try "$cc" c "$header" -std=c17 $gnu
        ;;
    esac
    try "$cxx" c++ "$header" -std=c++17
done
echo "$count headers"
[ "$count" -gt 0 ] || wrong=1
exit $wrong
