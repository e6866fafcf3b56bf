#!/usr/bin/env bash
# Certificates that one side or the other does not take, and a user that is one: each refusal has a name and
# a reason, at once. One server, and beside its own listener others with other certificates and demands.
. "$(dirname "$0")/lib.sh"
own_server tls
certs=$server/certs
ca=tls_ca_file=$certs/ca.pem
client="tls_cert_file=$certs/client.pem&tls_key_file=$certs/client.key"
foreign="tls_cert_file=$certs/foreign.pem&tls_key_file=$certs/foreign.key"

# The port is free when it is asked for, and a listener that finds it taken fails the test.
LAST="listeners with other certificates"
ctl eval "
Start = fun(Name, Certificate, Options) ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    ok = rabbit_networking:start_ssl_listener({\"127.0.0.1\", Port},
        [{cacertfile, \"$certs/ca.pem\"}, {certfile, \"$certs/\" ++ Certificate ++ \".pem\"},
         {keyfile, \"$certs/\" ++ Certificate ++ \".key\"} | Options], 1),
    io:format(\"~s=~b~n\", [Name, Port]) end,
Demands = [{verify, verify_peer}, {fail_if_no_peer_cert, true}],
Start(mutual, \"server\", Demands),
Start(mutual12, \"server\", [{versions, ['tlsv1.2']} | Demands]),
Start(expired, \"expired\", []),
Start(elsewhere, \"elsewhere\", []),
Start(old, \"server\", [{versions, ['tlsv1.1', tlsv1]}])." >ports 2>&1
grep -q ^old= ports || { complain "$(<ports)"; finish; }
sed -i '/^ok$/d' ports
mutual='' mutual12='' expired='' elsewhere='' old=''
. ./ports

# refused NAME TEXT URL: at once, long before connecting is given up (5 s)
refused() {
    local from=${EPOCHREALTIME/./}
    run call -b "$3" mul 1 1
    local ms=$(((${EPOCHREALTIME/./} - from) / 1000))
    [ "$code" != 0 ] || complain "it was accepted"
    expect_err_has "($1)"
    expect_err_has "$2"
    [ "$ms" -lt 3000 ] || complain "said after $ms ms"
}

# The broker demands a client certificate. With TLS 1.3 it says no after the handshake, with 1.2 within it.
worker w.log "amqps://127.0.0.1:$mutual?$ca&$client"
call_is 42 "amqps://127.0.0.1:$mutual?$ca&$client" mul 6 7
refused AUTH "demands a client certificate (tls_cert_file, tls_key_file)" "amqps://127.0.0.1:$mutual?$ca"
refused AUTH "refuses the client certificate of tls_cert_file (alert: unknown CA)" \
    "amqps://127.0.0.1:$mutual?$ca&$foreign"
call_is 42 "amqps://127.0.0.1:$mutual12?$ca&$client" mul 6 7
refused AUTH "does it demand a client certificate (tls_cert_file)?" "amqps://127.0.0.1:$mutual12?$ca"
refused AUTH "refuses the client certificate of tls_cert_file (alert: unknown CA)" \
    "amqps://127.0.0.1:$mutual12?$ca&$foreign"

# The broker's own is not what it should be.
refused AUTH "certificate refused: certificate has expired" "amqps://127.0.0.1:$expired?$ca"
refused AUTH "certificate refused: IP address mismatch" "amqps://127.0.0.1:$elsewhere?$ca"
refused AUTH "certificate refused: hostname mismatch" "amqps://localhost:$elsewhere?$ca"
refused AUTH "certificate refused: " "amqps://127.0.0.1:$mutual?tls_ca_file=$certs/stranger.pem&$client"
# TLS 1.1 is all it has.
refused CONFIG "the broker has no TLS 1.2 or newer" "amqps://127.0.0.1:$old?$ca"

# auth=external: the user is who the certificate names. Not before the broker offers it.
external="amqps://127.0.0.1:$mutual?$ca&$client&auth=external"
refused CONFIG "not EXTERNAL: enable rabbitmq_auth_mechanism_ssl" "$external"
refused CONFIG "so none is named" "amqps://somebody@127.0.0.1:$mutual?$ca&$client&auth=external"
LAST="enable rabbitmq_auth_mechanism_ssl"
echo '[rabbitmq_auth_mechanism_ssl].' >"$server/enabled_plugins"
ctl eval "rabbit_plugins:ensure(\"$server/enabled_plugins\"),
application:set_env(rabbit, auth_mechanisms, ['PLAIN', 'EXTERNAL']),
application:set_env(rabbit, ssl_cert_login_from, common_name)." >/dev/null || complain "not enabled"
refused AUTH 'as "who the client certificate says" on vhost "/": refused' "$external"
ctl add_user client unused >/dev/null && ctl clear_password client
ctl set_permissions client '.*' '.*' '.*' || complain "set_permissions"
worker external.log "$external" -p external
call_is 42 "$external" -p external mul 6 7
ctl list_connections user auth_mechanism >connections
grep -q '^client[[:space:]]EXTERNAL$' connections || complain "connected are: $(<connections)"
finish
