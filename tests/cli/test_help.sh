#!/usr/bin/env bash
# Every command explains itself, and its help names every option it takes.
. "$(dirname "$0")/lib.sh"

config_options="-f --config -o --option --plugin-path --log-level --log-format"
broker_options="-b --broker -p --project -m --module -x --executor -j --workers"
payload_options="--kw --stdin --content-type --header --queue --priority --wait-route --timeout"

# mentions COMMAND OPTION...: its help names exactly these, and the three of every command.
mentions() {
    command=$1
    shift
    run "$command" --help
    expect_code 0
    expect_out_has "Usage: patio $command"
    named=$(grep -oE '^ +(-[a-zA-Z?], )?--[a-z-]+' "$scratch/out" | tr -d ',' | tr -s ' ' '\n' | sort -u)
    wanted=$(printf '%s\n' "" "$@" -? --help --usage -V --version | sort -u)
    [ "$named" = "$wanted" ] || complain "help and test differ:" "$(diff <(echo "$named") <(echo "$wanted"))"
    help_text=$out
    run help "$command"
    expect_code 0
    expect_out "$help_text"
    run "$command" -h
    expect_code 0
}

# shellcheck disable=SC2086
{
    mentions worker $config_options $broker_options --drain-timeout --exec -q --queues --strict-order \
        --ready-file
    policy="--level --max-attempts --max-crashes --backoff --attempt-timeout --ack --dedup-key --dedup-window --dedup-conflict --queue-ttl --result-ttl"
    mentions call $config_options $broker_options $payload_options $policy --idempotent --json --progress
    mentions send $config_options $broker_options $payload_options $policy --delay --at --json
    reach="-b --broker -p --project $config_options"
    mentions stats $reach --timeout -q --queue --json
    mentions dlq $reach --timeout -q --queue --json --all --limit
    mentions result $reach --timeout -q --queue --json
    mentions cancel $reach --timeout -q --queue --json
    mentions health $reach --timeout --json --host --pid --workers
    mentions topology $reach -q --queue
    for command in workers ping doctor peers; do
        mentions $command $reach --timeout --json
    done
    for command in purge pause resume drain limit; do
        mentions $command $reach --timeout --json
    done
    mentions plugins $config_options --json
    mentions conform --url --listen --kind -o --option --redelivery --only --skip -j --jobs --seed --list --json --junit \
        --verbose --in-process --lasting --task
    mentions describe $config_options -m --module -p --project --json
}

run help
expect_code 0
for command in worker call send cancel result stats workers health ping dlq purge pause resume drain limit doctor topology \
    peers plugins describe bench conform help; do
    expect_out_has "  $command "
done
overview=$out
run --help
expect_code 0
expect_out "$overview"
run
expect_code 2

run --version
expect_code 0
expect_out_has "patio 0."
run call --version
expect_code 0
expect_out_has "plugin ABI 1."

run help exit-codes
expect_code 0
for n in 0 1 2 3 4 5 6 7 8 9 130; do
    grep -q "^$n  " "$scratch/out" || complain "no exit code $n in the table"
done
run help errors
expect_code 0
grep -qE '^NO_ROUTE +403 +5 +nobody' "$scratch/out" || complain "no row of NO_ROUTE" "$out"
statuses=$(grep -cE '^    X\([A-Z_]+, [0-9]+,' "$PATIO_SOURCE/core/include/patio/base.h")
rows=$(grep -cE '^[A-Z_]+ +[0-9]+ +[0-9]+ ' "$scratch/out")
[ "$rows" = "$statuses" ] || complain "$rows rows, but base.h has $statuses statuses"

# The page says the same.
while read -r status _ exit_code _; do
    case $status in TASK_RETRY | TASK_SNOOZE) continue ;; esac # a caller never sees these
    grep -qE "^\\| $exit_code \\|.*[ |]${status}[, ]" "$PATIO_SOURCE/docs/cli.md" ||
        complain "docs/cli.md does not give $status the exit code $exit_code"
done < <(grep -E '^[A-Z_]+ +[0-9]+ ' "$scratch/out")

finish
