#!/usr/bin/env bash
# A thread that calls again and again reads its replies itself (transports/turn/turn.h): deadlines,
# cancels, stops and other threads meanwhile, inside TLS as well, and once with its links cut.
. "${PATIO_SOURCE:?}/tests/redis/lib.sh" || exit 1

openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
server plain --tls-port @tls --tls-cert-file "$scratch/server.pem" --tls-key-file "$scratch/server.key" \
    --tls-ca-cert-file "$scratch/server.pem" --tls-auth-clients no
url=redis://127.0.0.1:$port

# polls URL: all cases of the program over that URL
polls() {
    LAST="test_tcp_poll $1"
    "$POLL" "$1" patio-redis >poll.log 2>&1 || complain "a case failed" "$(grep -v "OK \]\|RUN" poll.log)"
}
polls "$url"
PATIO_CHECK=abort polls "$url"
SSL_CERT_FILE=$scratch/server.pem polls "rediss://localhost:$tls"

# Its links are cut, and the server stands still, while it reads: each call has its end.
ledger_worker "$url" turns
"$LEDGER" turns "$url" turns 1 4000 0 &
caller=$!
while kill -0 "$caller" 2>/dev/null; do
    sleep 0.3
    cli client kill type normal >/dev/null
    cli debug sleep 0.1 >/dev/null
done
wait "$caller" || complain "the caller did not end well"
ended=$(($(count_of turns answered) + $(count_of turns failed)))
[ "$ended" = 4000 ] || complain "$ended of 4000 calls have ended"
bad=$(sed -n 's/^failed [0-9]* //p' turns | grep -v PEER_LOST | sort | uniq -c)
[ -z "$bad" ] || complain "calls ended otherwise than by a lost connection: $bad"
! grep -q '^wrong' turns || complain "a reply reached another caller"
finish
