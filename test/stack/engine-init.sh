# The first process of the engine, in mount and process namespaces of its own. What it mounts
# nobody else sees, and all of it ends with this process.
# Arguments: the engine to run.
set -eu
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run # sockets and states of the engine, not the machine's
"$@" &
wait $! # also for orphans: a first process has to
