# Starts a PostgreSQL server for one step. Source it after lib.sh.

postgres=
# The server does not run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}
stop_postgres() {
    [ -z "$postgres" ] || as_postgres "$postgres_bin/pg_ctl" -D "$postgres/data" -m immediate stop >/dev/null || true
    rm -rf "$postgres"
}
trap stop_postgres EXIT

find_postgres() {
    postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
    [ -n "$postgres_bin" ] || postgres_bin=$(dirname "$(command -v initdb)") 2>/dev/null
    [ -x "$postgres_bin/initdb" ]
}
install_postgres() {
    { apt-get update -qq && apt-get install -y -qq postgresql; } >/dev/null && find_postgres
}

# Starts a server in a temporary directory and sets BITRIX24_TEST_POSTGRES to its address.
start_postgres() {
    local port try
    find_postgres || install_postgres || return
    postgres=$(mktemp -d)
    echo secret >"$postgres/password"
    [ "$(id -u)" != 0 ] || chown -R postgres "$postgres"
    as_postgres "$postgres_bin/initdb" -D "$postgres/data" -U postgres --encoding UTF8 --locale C \
        --auth scram-sha-256 --pwfile "$postgres/password" >/dev/null || return
    for try in 1 2 3; do
        port=$((20000 + RANDOM % 10000))
        if as_postgres "$postgres_bin/pg_ctl" -D "$postgres/data" -l "$postgres/log" -w start \
            -o "-p $port -c max_connections=400 -c listen_addresses=127.0.0.1 -c unix_socket_directories=$postgres" >/dev/null; then
            BITRIX24_TEST_POSTGRES=postgres://postgres:secret@127.0.0.1:$port/postgres
            return
        fi
    done
    cat "$postgres/log"
    return 1
}
