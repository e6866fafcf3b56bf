#!/usr/bin/env bash
# certificates.sh DIR: a CA, a server (localhost, 127.0.0.1), a client, one for another host, an
# expired one, a revoked one with its list, a CA that nobody trusts, and a client of that.
set -eu
mkdir -p "$1"
cd "$1"
[ ! -s complete ] || exit 0
exec 2>log

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" \
        -days 2 -subj "/CN=patio test $1" -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign
}

cat >ca.cnf <<C
[ca]
default_ca = d
[d]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
crlnumber = crlnumber
default_crl_days = 2
unique_subject = no
[p]
commonName = supplied
C
: >index.txt
echo 01 >serial
echo 01 >crlnumber

# certificate NAME CA ALTNAMES [from] [until]
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" \
        -subj "/CN=$1"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3" >"$1.ext"
    openssl ca -batch -config ca.cnf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
        -notext -extfile "$1.ext" -startdate "${4:-20200101000000Z}" -enddate "${5:-20480101000000Z}"
}

authority ca
authority stranger
certificate server ca DNS:localhost,IP:127.0.0.1
certificate client ca DNS:client
certificate foreign stranger DNS:client
certificate elsewhere ca DNS:elsewhere.example
certificate expired ca DNS:localhost,IP:127.0.0.1 20200101000000Z 20200201000000Z
certificate revoked ca DNS:localhost,IP:127.0.0.1
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out none.crl
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke revoked.pem
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke server.pem
openssl ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out server-revoked.crl
echo yes >complete
