#!/bin/sh
# Makes Temporal's databases and brings their schemas up to date; what is there stays. Where the
# server is and who logs in is said by SQL_HOST, SQL_USER, SQL_PASSWORD and so on.
set -eu
for name in temporal visibility; do
	database=temporal
	[ "$name" = visibility ] && database=temporal_visibility
	export SQL_DATABASE="$database"
	update="temporal-sql-tool update-schema --schema-name postgresql/v12/$name"
	if ! $update; then # a new database
		temporal-sql-tool create
		temporal-sql-tool setup-schema --version 0.0
		$update
	fi
done
