#!/usr/bin/env bash
# rabbitmq.sh: private RabbitMQ servers for tests, on free ports of 127.0.0.1, each with its own
# folder and its own epmd. No service of the system is touched.
#
#   rabbitmq.sh start DIR [tls]   starts one and waits until it serves; DIR/env has its ports
#   rabbitmq.sh stop DIR          ends it by its process id
#   rabbitmq.sh kill DIR          kill -9, as a crash would
#   rabbitmq.sh again DIR         starts it again with what it had
#   rabbitmq.sh join DIR FIRST    starts one more, in a cluster with that of the folder FIRST
#   rabbitmq.sh ctl DIR ARGS...   rabbitmqctl for it
set -u
bin=/usr/lib/rabbitmq/bin

die() {
    echo "rabbitmq.sh: $*" >&2
    exit 1
}

# Free now; a server that finds it taken fails, and another is tried.
free_ports() {
    local count=$1 port=$((20000 + RANDOM % 12000)) tried=0 i
    while [ $tried -lt 200 ]; do
        for ((i = 0; i < count; i++)); do
            (exec 3<>"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null && break
        done
        [ "$i" = "$count" ] && { echo "$port"; return; }
        port=$((20000 + RANDOM % 12000))
        tried=$((tried + 1))
    done
    die "no free ports"
}

environment() {
    # shellcheck disable=SC1091
    . "$dir/env"
    export HOME=$dir/home RABBITMQ_NODENAME=n$port@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT=$port RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_PORT=$epmd_port \
        ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE=$dir/mnesia RABBITMQ_LOG_BASE=$dir/log \
        RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf \
        RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config \
        RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins RABBITMQ_PID_FILE=$dir/rabbit.pid \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
}

launch() {
    environment
    rm -f "$dir/rabbit.pid"
    setsid "$bin/rabbitmq-server" </dev/null >>"$dir/out" 2>&1 &
    # it has to be there before it can be waited for
    for _ in $(seq 600); do
        [ -s "$dir/rabbit.pid" ] && (exec 3<>"/dev/tcp/127.0.0.1/$epmd_port") 2>/dev/null &&
            (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
    timeout 60 "$bin/rabbitmqctl" -q await_startup >>"$dir/out" 2>&1 || return 1
    # its listener is there
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

# prepare TLS FIRST: nodes of one cluster share a cookie and an epmd.
prepare() {
    local tls=$1 first=$2
    port=$(free_ports 4)
    mkdir -p "$dir"/{mnesia,log,home}
    echo '[].' >"$dir/enabled_plugins"
    if [ -n "$first" ]; then
        cp "$first/home/.erlang.cookie" "$dir/home/.erlang.cookie"
    else
        head -c 20 /dev/urandom | base64 | tr -dc A-Za-z0-9 >"$dir/home/.erlang.cookie"
    fi
    chmod 400 "$dir/home/.erlang.cookie"
    cat >"$dir/rabbitmq.conf" <<C
listeners.tcp.local = 127.0.0.1:$port
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
C
    if [ -n "$tls" ]; then
        bash "$(dirname "$0")/certificates.sh" "$dir/certs" || die "no certificates"
        cat >>"$dir/rabbitmq.conf" <<C
listeners.ssl.local = 127.0.0.1:$((port + 3))
ssl_options.cacertfile = $dir/certs/ca.pem
ssl_options.certfile = $dir/certs/server.pem
ssl_options.keyfile = $dir/certs/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
C
    fi
    epmd_port=$((port + 2))
    # shellcheck disable=SC1091
    [ -z "$first" ] || epmd_port=$(. "$first/env" && echo "$epmd_port")
    echo "port=$port tls_port=$((port + 3)) epmd_port=$epmd_port" >"$dir/env"
}

alive() {
    [ -r "/proc/$1/stat" ] && [ "$(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null)" != Z ]
}

end() {
    local signal=$1 pid
    environment
    pid=$(cat "$dir/rabbit.pid" 2>/dev/null) || return 0
    kill "-$signal" "$pid" 2>/dev/null
    for _ in $(seq 300); do
        alive "$pid" || return 0
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
}

[ $# -ge 2 ] || die "usage: rabbitmq.sh start|stop|kill|again|ctl DIR ..."
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# join_cluster FIRST
join_cluster() {
    local node
    # shellcheck disable=SC1091
    node=n$(. "$1/env" && echo "$port")@localhost
    "$bin/rabbitmqctl" -q stop_app && "$bin/rabbitmqctl" -q join_cluster "$node" && "$bin/rabbitmqctl" -q start_app
}

case $verb in
start | join)
    [ -x $bin/rabbitmq-server ] || die "rabbitmq-server is not installed: scripts/setup"
    first=
    [ "$verb" = start ] || first=${3:?}
    for _ in 1 2 3; do
        rm -rf "${dir:?}"/*
        if [ "$verb" = start ]; then prepare "${3:-}" ""; else prepare "" "$first"; fi
        if launch && { [ -z "$first" ] || join_cluster "$first"; }; then exit 0; fi
        end KILL
        epmd -port "$ERL_EPMD_PORT" -kill >/dev/null 2>&1
    done
    tail -20 "$dir/out" >&2
    die "RabbitMQ did not start"
    ;;
again) launch || { tail -20 "$dir/out" >&2; die "RabbitMQ did not start again"; } ;;
stop)
    end TERM
    epmd -port "$ERL_EPMD_PORT" -kill >/dev/null 2>&1
    exit 0
    ;;
kill) end KILL ;;
ctl)
    environment
    shift 2
    exec "$bin/rabbitmqctl" -q "$@"
    ;;
*) die "unknown: $verb" ;;
esac
