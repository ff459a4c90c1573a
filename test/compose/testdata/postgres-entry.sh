#!/bin/sh
# What docker-compose.yml expects of the image postgres: a cluster for POSTGRES_USER with
# POSTGRES_PASSWORD, reached over TCP with it.
set -eu
export PGDATA=/var/lib/postgresql/data/pgdata
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	printf %s "$POSTGRES_PASSWORD" >/tmp/password
	initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --no-instructions
	rm /tmp/password
	echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c unix_socket_directories=/var/run/postgresql -c listen_addresses='*' "$@"
