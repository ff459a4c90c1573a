// Package plan decides how a backup or a restore is cut into pieces of work.
// It is pure: the same input always gives the same plan, so a plan may be made
// again after a crash and compared.
//
// Export cuts a backup into shards. A shard is a set of list calls that one
// activity makes; its result is a run of archive members. Shards are
// concatenated in the order of their ids, which is the order of the types in
// the archive: pods, claims, volumes, the rest of the core group, then the
// other groups. Every selected type and namespace is listed by exactly one
// shard.
//
// A restore plan cuts an archive into levels and tasks. All objects of a level are
// applied before any of the next; within a level they are applied in parallel.
// A task is a set of archive members to read once; a member that holds objects
// of several levels is in one task of each of these levels. The archive's index is
// told to a Census object by object, so planning takes as much memory for a million
// objects as for a thousand in as many members.
package plan
