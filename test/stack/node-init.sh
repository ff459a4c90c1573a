# The first process of the node, in mount and process namespaces of its own. What it
# mounts nobody else sees, and all of it ends with this process.
# Arguments: file for its process id, folder for the kubelet, then the runtime to run.
set -eu
read -r pid rest </proc/self/stat # /proc is still the machine's, and so is this number
pidfile=$1 kubelet=$2
shift 2
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run # sockets and states of runtimes, not the machine's
mount -t tmpfs -o mode=755 tmpfs /var/log
mkdir -p /run/kubelet /run/lock /var/log/containers
mount --bind "$kubelet" /run/kubelet
mount --make-shared /run/kubelet # volumes are mounted here, and runtimes copy the mounts
echo "$pid" >"$pidfile.next"
mv "$pidfile.next" "$pidfile"
"$@" &
wait $! # also for orphans: a first process has to
