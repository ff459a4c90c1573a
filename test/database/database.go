// Package database is PostgreSQL with orders on a volume, and a drill that counts them: for the
// tests and the demo of a stack with a node, whose images it needs.
package database

import (
	_ "embed"
	"strings"
)

// Pod is the pod of a Manifest that is called postgres.
const Pod = "postgres-0"

// Orders is what the database has to have after a restore, in SQL: 5,000 of them.
const Orders = `CREATE TABLE orders AS SELECT n, md5(n::text) AS text FROM generate_series(1, 5000) n`

// Recording are hooks that have the number of orders recorded with a backup.
const Recording = `        pre.hook.backup.velero.io/container: postgres
        pre.hook.backup.velero.io/on-error: Fail
        pre.hook.backup.velero.io/command: '["psql", "--quiet", "-tA", "-c", "CHECKPOINT", "-c", "SELECT count(*) FROM orders"]'
        lifeboat-backup.github.io/record: orders
`

var (
	//go:embed postgres.yaml
	manifest string
	//go:embed drill.yaml
	drill string
)

// Manifest is that of PostgreSQL on a volume, whose pods have hooks: lines of annotations. A
// second container writes row after row once the file /run/postgresql/go says so, which is on no
// volume: a restored pod does not write.
func Manifest(name, hooks string) string {
	return strings.NewReplacer("<name>", name, "<hooks>\n", hooks).Replace(manifest)
}

// Drill is the document of a drill that restores a backup of a namespace and counts its orders.
func Drill(backup, namespace string) string {
	return strings.NewReplacer("<backup>", backup, "<ns>", namespace).Replace(drill)
}
