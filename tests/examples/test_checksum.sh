#!/usr/bin/env bash
# patio-checksum from outside, against sha256sum: odd names, what cannot be read, numbers, exit codes.
set -u
: "${PATIO_CHECKSUM:?path of patio-checksum}"
unset "${!PATIO_BROKER@}" PATIO_PROJECT PATIO_EXECUTOR PATIO_WORKERS PATIO_LOG_LEVEL PATIO_LOG_FORMAT \
      PATIO_PLUGIN_PATH PATIO_CONFIG
export LC_ALL=C
scratch=$(mktemp -d)
trap 'chmod -R u+rwx "$scratch"; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
as=()

complain() {
    echo "FAILED: $LAST"
    printf '  %s\n' "$@" "stdout: $(<"$scratch/out")" "stderr: $(<"$scratch/err")"
    failures=$((failures + 1))
}

# run CODE ARGUMENTS…: standard output and error go to files, the exit code must be CODE.
run() {
    local wanted=$1 code
    shift
    LAST="patio-checksum $*"
    "${as[@]}" "$PATIO_CHECKSUM" "$@" >"$scratch/out" 2>"$scratch/err"
    code=$?
    [ "$code" = "$wanted" ] || complain "exit code $code, expected $wanted"
}

says() { # FILE TEXT: a line is, or begins with, the text
    grep -q -- "^$2" "$1" || complain "no line begins with: $2"
}

# The manifest must be what sha256sum writes, in any order, and it must check.
same_as_sha256sum() { # MANIFEST DIR
    find "$2" -type f -print0 | xargs -0 sha256sum | sort >expected
    sort "$1" | cmp -s - expected || complain "manifest: $(sort "$1" | diff - expected | head -5)"
    sha256sum --check --strict --quiet "$1" || complain "sha256sum -c refuses it"
}

# ---- a tree of odd names ----
mkdir -p tree/plain "tree/with space" tree/deep/er/and/deeper tree/empty-folder
printf 'hello\n' >tree/plain/hello
: >tree/plain/empty
head -c $((5 * 1024 * 1024)) /dev/urandom >tree/plain/5MiB
head -c 32768 /dev/zero >tree/plain/one-block
head -c 32769 /dev/zero >tree/plain/one-block-and-a-byte
printf a >"tree/with space/a file"
printf b >$'tree/new\nline'
printf c >'tree/back\slash'
printf d >$'tree/carriage\rreturn'
printf e >'tree/größe-日本'
printf f >$'tree/not-utf8-\xff\xfe'
printf g >tree/-dash
printf h >tree/deep/er/and/deeper/.hidden
printf i >'tree/*'
mkfifo tree/fifo
ln -s plain/hello tree/link
ln -s /usr tree/folder-link
ln -s nowhere tree/dangling
files=$(find tree -type f -printf x | wc -c)
bytes=$(find tree -type f -printf '%s\n' | awk '{n += $1} END {print n}')

for dir in tree ./tree tree/ "$scratch/tree"; do
    run 0 --manifest sums "$dir"
    same_as_sha256sum sums "$dir"
    says out "files     $files$"
    says out "bytes     $bytes$"
    says out "failures  0$"
    says out 'elapsed   [0-9.]* s$'
    says out 'rate      [0-9.]* MB/s, [0-9]* tasks/s$'
    says out 'per task  p50 [0-9.]* ms, p99 [0-9.]* ms'
done
(cd tree && find . -type f -print0 | xargs -0 sha256sum | sort) >expected
(cd tree && "$PATIO_CHECKSUM" --manifest - . 2>/dev/null | sort | cmp -s - ../expected) ||
    complain "manifest of . on standard output"

# ---- few in flight, many workers, a queue that is soon full ----
run 0 --in-flight 1 --workers 1 --manifest sums tree
same_as_sha256sum sums tree
mkdir many
for i in $(seq 600); do echo "$i" >"many/$i"; done
printf 'project: sums\ntransport:\n  max_queued: 3\n' >patio.yaml
run 0 --config patio.yaml --in-flight 64 --workers 8 --manifest sums many
same_as_sha256sum sums many
says out 'files     600$'

# ---- what cannot be read; root reads everything, so somebody else tries ----
mkdir -p some/closed
printf x >some/readable
for i in 1 2 3 4 5; do printf x >"some/secret$i"; chmod 000 "some/secret$i"; done
printf x >some/closed/inside
chmod 000 some/closed
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$scratch"
    : >nobody && chmod 666 nobody
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
if "${as[@]}" test -x "$PATIO_CHECKSUM"; then
    : >out; : >err; chmod 666 out err
    run 3 --manifest - some
    sha256sum some/readable | cmp -s - out || complain "the readable one is missing"
    cp err summary
    says summary 'files     1$'
    says summary 'bytes     1$'
    says summary 'failures  6$'
    says summary '  Unreadable  5$'
    says summary '    some/secret[1-5]: Permission denied$'
    says summary '    and 2 more$'
    says summary '  UnreadableFolder  1$'
    says summary '    some/closed: Permission denied$'
else
    echo "not tried: nobody may run $PATIO_CHECKSUM"
fi
as=()

# ---- a file that takes too long (it is all hole), and somebody who has no patience ----
mkdir slow
truncate -s 64G slow/hole
run 3 --timeout 1 slow
says out '  TIMEOUT  1$'
says out '    slow/hole: [a-z]' # the caller's words or the worker's: both look at the clock
LAST="patio-checksum slow, SIGTERM"
"$PATIO_CHECKSUM" slow >out 2>err &
sleep 0.5
kill -TERM $!
wait $!
code=$?
[ "$code" = 130 ] || complain "exit code $code, expected 130"
says err 'patio-checksum: ended early by a signal$'

# ---- what ends it before it begins ----
run 2 nowhere
says err 'patio-checksum: nowhere: No such file or directory$'
run 2 tree/plain/hello
says err 'patio-checksum: tree/plain/hello: Not a directory$'
run 2 tree/empty-folder
says err 'patio-checksum: tree/empty-folder: no regular file below it$'
run 1 --manifest nowhere/sums tree
run 1 --manifest /dev/full tree
run 2 --in-flight 0 tree
run 2 --role cook tree
run 2 --role worker
run 2 --config nowhere.yaml tree
run 2 --broker nonsense tree
run 2 tree tree
run 0 --help

[ "$failures" = 0 ] || echo "$failures failed"
[ "$failures" = 0 ]
