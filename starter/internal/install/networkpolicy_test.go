package install

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// TestNetworkPolicy: what the worker dials by its configuration is let out by the policy that is
// rendered beside it, and what it must not reach is not. Whether a cluster's network enforces policies
// is its own business; the rules are judged here as Kubernetes defines them.
func TestNetworkPolicy(t *testing.T) {
	for name, tc := range map[string]struct {
		values, dials string
	}{
		"AWS":            {plainValues, ""},
		"Temporal Cloud": {strings.Replace(plainValues, "temporal:7233", "a.b1.tmprl.cloud:443", 1), ""},
		"S3 on a port":   {strings.Replace(plainValues, "objectStorage: {bucket: example-backups}", `objectStorage: {bucket: example-backups}, config: {s3Url: "http://minio.storage:9000/s3"}`, 1), "minio.storage:9000"},
		"S3 by http":     {strings.Replace(plainValues, "objectStorage: {bucket: example-backups}", `objectStorage: {bucket: example-backups}, config: {s3Url: "http://s3.storage"}`, 1), "s3.storage:80"},
		"S3 by IPv6":     {strings.Replace(plainValues, "objectStorage: {bucket: example-backups}", `objectStorage: {bucket: example-backups}, config: {s3Url: "https://[2001:db8::1]:9443"}`, 1), "[2001:db8::1]:9443"},
		"S3 by IPv6 too": {strings.Replace(plainValues, "objectStorage: {bucket: example-backups}", `objectStorage: {bucket: example-backups}, config: {s3Url: "https://[2001:db8::1]"}`, 1), "[2001:db8::1]:443"},
		"telemetry":      {strings.Replace(plainValues, "configuration:", "configuration:\n  telemetry: {endpoint: \"http://collector.monitoring:4317\"}", 1), "collector.monitoring:4317"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := render(t, tc.values)
			if err != nil {
				t.Fatal(err)
			}
			policy, cfg := policyAndConfiguration(t, out)
			temporal := regexp.MustCompile(`TEMPORAL_ADDRESS, value: "(.+)"`).FindStringSubmatch(out)
			if temporal == nil {
				t.Fatal("the worker is told of no Temporal")
			}
			dialed := append(dials(t, cfg), temporal[1])
			if tc.dials != "" && !slices.Contains(dialed, tc.dials) {
				t.Errorf("the worker dials %q, want %s among them", dialed, tc.dials)
			}
			for _, address := range append(dialed, "169.254.170.23:80", "10.100.0.1:443", "172.20.3.4:6443") {
				if !letsOut(policy, corev1.ProtocolTCP, address) {
					t.Errorf("%s is not let out", address)
				}
			}
			for _, address := range []string{"10.0.0.7:5432", "10.0.0.7:22"} {
				if letsOut(policy, corev1.ProtocolTCP, address) {
					t.Errorf("%s is let out", address)
				}
			}
			if !letsOut(policy, corev1.ProtocolUDP, "10.100.0.10:53") {
				t.Error("DNS is not let out")
			}
			if name != "S3 by http" && letsOut(policy, corev1.ProtocolTCP, "169.254.169.254:80") {
				t.Error("the instance metadata service is let out")
			}
		})
	}
}

func policyAndConfiguration(t *testing.T, manifests string) (*networkingv1.NetworkPolicy, *config.Config) {
	t.Helper()
	var policy *networkingv1.NetworkPolicy
	cfg := new(config.Config)
	for doc := range strings.SplitSeq(strings.TrimPrefix(manifests, "---\n"), "\n---\n") {
		var o struct {
			Kind string
			Data map[string]string
		}
		err := yaml.Unmarshal([]byte(doc), &o)
		switch {
		case err == nil && o.Kind == "NetworkPolicy":
			policy = new(networkingv1.NetworkPolicy)
			err = yaml.UnmarshalStrict([]byte(doc), policy)
		case err == nil && o.Kind == "ConfigMap" && o.Data["lifeboat.yaml"] != "":
			err = yaml.Unmarshal([]byte(o.Data["lifeboat.yaml"]), cfg)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
	}
	if policy == nil || cfg.Cluster == "" {
		t.Fatalf("no policy, or no configuration:\n%s", manifests)
	}
	return policy, cfg
}

// dials are the addresses that a configuration names, and those of AWS.
func dials(t *testing.T, c *config.Config) []string {
	t.Helper()
	urls := []string{"https://s3.eu-central-1.amazonaws.com", "https://ec2.eu-central-1.amazonaws.com", "https://sts.eu-central-1.amazonaws.com"}
	for i := range c.BackupStorageLocations {
		urls = append(urls, c.BackupStorageLocations[i].Spec.Config["s3Url"])
	}
	var all []string
	for _, text := range append(urls, c.Telemetry.Endpoint) {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		all = append(all, net.JoinHostPort(u.Hostname(), port))
	}
	return all
}

// letsOut judges a connection of a selected pod. A name is none of the addresses of a block.
func letsOut(p *networkingv1.NetworkPolicy, protocol corev1.Protocol, address string) bool {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return false
	}
	ip, _ := netip.ParseAddr(host)
	return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		to := len(r.To) == 0 || slices.ContainsFunc(r.To, func(peer networkingv1.NetworkPolicyPeer) bool {
			return peer.IPBlock != nil && ip.IsValid() && netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(ip)
		})
		return to && slices.ContainsFunc(r.Ports, func(port networkingv1.NetworkPolicyPort) bool {
			return *port.Protocol == protocol && port.Port.IntValue() == number
		})
	})
}
