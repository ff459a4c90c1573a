package controlplane

import (
	"cmp"
	"fmt"
	"strings"
)

// files are the paths of what a control plane is started with.
type files struct {
	data                                                    string // of etcd
	authority, serverCert, serverKey, clientCert, clientKey string
	accountKey                                              string
	scratch                                                 string // where the API server may write
}

func address(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }

// etcdArguments serve on loopback, to who has the client's certificate. Nothing is synced:
// no data outlives the process.
func etcdArguments(f files, client, peer int) []string {
	return []string{
		"--name=rehearsal", "--data-dir=" + f.data, "--unsafe-no-fsync",
		"--listen-client-urls=" + address(client), "--advertise-client-urls=" + address(client),
		"--listen-peer-urls=" + address(peer), "--initial-advertise-peer-urls=" + address(peer),
		"--initial-cluster=rehearsal=" + address(peer),
		"--client-cert-auth", "--trusted-ca-file=" + f.authority, "--cert-file=" + f.serverCert, "--key-file=" + f.serverKey,
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + f.authority, "--peer-cert-file=" + f.serverCert, "--peer-key-file=" + f.serverKey,
		"--quota-backend-bytes=8589934592", // as much as etcd supports: memory is the limit
		"--max-request-bytes=1572864",      // etcd's default, by which objects are too large
		"--snapshot-count=1000",            // frees the log of what was written, which is held in memory
		"--log-level=warn",
	}
}

// offAdmission are the admission plugins that need what a rehearsal has not: the Services of
// webhooks, and the controllers that make the accounts of namespaces and count what is used of
// quotas. What they would have refused is looked for in the backup (package reference).
const offAdmission = "MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ServiceAccount,ResourceQuota"

// advertised is an address for documentation, of the family of the range of Services: loopback
// is refused, and nobody is told of it.
func advertised(serviceRange string) string {
	first, _, _ := strings.Cut(serviceRange, ",")
	if strings.Contains(first, ":") {
		return "2001:db8::1"
	}
	return "192.0.2.1"
}

func apiServerArguments(f files, s Spec, port, etcd int) []string {
	return []string{
		"--etcd-servers=" + address(etcd), "--etcd-cafile=" + f.authority, "--etcd-certfile=" + f.clientCert, "--etcd-keyfile=" + f.clientKey,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=" + advertised(s.ServiceRange),
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + f.scratch, "--tls-cert-file=" + f.serverCert, "--tls-private-key-file=" + f.serverKey,
		"--client-ca-file=" + f.authority, "--anonymous-auth=false",
		"--authorization-mode=AlwaysAllow", // of whoever has the client's certificate
		"--service-account-issuer=https://rehearsal.invalid",
		"--service-account-key-file=" + f.accountKey, "--service-account-signing-key-file=" + f.accountKey,
		"--service-cluster-ip-range=" + cmp.Or(s.ServiceRange, DefaultServiceRange),
		"--allow-privileged=true", "--profiling=false", "--shutdown-delay-duration=0s",
		"--disable-admission-plugins=" + offAdmission,
		"--watch-cache=false", // every object is written once and listed once
	}
}
