// Package export lists the objects of a backup into staged chunks of its archive.
//
// Shard exports one shard of the plan (shard.go, object.go), Related what the exported
// objects refer to (related.go). A type or object that the API server refuses is a reason
// in the result; an API server that is away is an error, to be tried again (refusal.go).
package export
