#!/usr/bin/env bash
# test_conform_shapes.sh [SHAPE...]: the conformance kit over what an operator may choose: quorum queues, direct
# reply-to, TLS. What a shape cannot do it refuses as UNSUPPORTED in exactly the cases that need it.
. "$(dirname "$0")/lib.sh"
shared_server
quick="heartbeat_ms=4s&reconnect_max_ms=300"

# conform SHAPE URL LACKS OPTION...: LACKS: the cases that fail, each because something is UNSUPPORTED
conform() {
    local shape=$1 url=$2 lacks=$3
    shift 3
    LAST="patio conform --url $url"
    "$PATIO" conform "$PATIO_AMQP_PLUGIN" --url "$url" "$@" -j 4 >"$shape" 2>&1
    local failed
    failed=$(awk '$2 == "FAILED" { printf "%s ", $1; failed = 1; next }
                  failed && !/UNSUPPORTED/ { printf "otherwise " }
                  { failed = 0 }' "$shape" | xargs -n 1 | sort -n | xargs)
    [ "$failed" = "$lacks" ] || complain "failed: $failed, expected: $lacks" "$(grep -vE '^ *[0-9]+ +(passed|refused|skipped) ' "$shape")"
    grep -q "cases: " "$shape" || complain "no report: $(<"$shape")"
}

# 16 and 18 want the machine for themselves: test_conform_alone.sh
for shape in "${@:-quorum}"; do
    case $shape in
    quorum) # RabbitMQ 3 gives them no priorities
        conform quorum "amqp://127.0.0.1:$port?$quick&queue_type=quorum" "52" --skip=16,18 ;;
    direct) # without the project's exchange nobody is asked: no cancel, no list of who is there
        conform direct "amqp://127.0.0.1:$port?$quick&reply=direct" "120 121 122 123 124 157 176" --skip=16,18 ;;
    tls)
        conform tls "amqps://127.0.0.1:$tls_port?$quick&tls_ca_file=$server/certs/ca.pem" "" --skip=16,18 ;;
    esac
done
finish
