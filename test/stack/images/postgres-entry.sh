#!/bin/sh
# Runs PostgreSQL on the cluster in $PGDATA; makes an empty one if there is none.
set -eu
mkdir -p /run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	mkdir -p "$PGDATA"
	initdb --auth=trust --no-instructions
fi
chmod 0700 "$PGDATA"
exec postgres -c unix_socket_directories=/run/postgresql -c listen_addresses= "$@"
