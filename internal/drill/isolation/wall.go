package isolation

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Wall is the network policy around the namespaces of a copy: nothing comes in and nothing
// goes out but between them, to the cluster's DNS, and from who proves the copy.
type Wall struct {
	// Labels are on all namespaces of the copy, and on no other.
	Labels map[string]string
	// WorkerNamespace and WorkerLabels find the pods of the worker, which may come in; none may
	// if the namespace is empty.
	WorkerNamespace string
	WorkerLabels    map[string]string
	// APIServer are its addresses, from which the connections of its proxy come.
	APIServer []string
}

// WallName is the name of the policy in each namespace.
const WallName = "lifeboat-drill"

// Policy is the policy for a namespace. It has to be there before the first pod. An error
// names an address that is none.
func (w Wall) Policy(namespace string) (networkingv1.NetworkPolicy, error) {
	within := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: w.Labels}}
	in := []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{within}}}
	if w.WorkerNamespace != "" {
		in = append(in, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{podsOf(w.WorkerNamespace, w.WorkerLabels)}})
	}
	for _, address := range w.APIServer {
		block, err := blockOf(address)
		if err != nil {
			return networkingv1.NetworkPolicy{}, err
		}
		in = append(in, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{{IPBlock: block}}})
	}
	return networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: WallName, Namespace: namespace, Labels: w.Labels},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     in,
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{within}}, dnsRule()},
		},
	}, nil
}

func podsOf(namespace string, labels map[string]string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: labels},
	}
}

// dnsRule lets pods ask the cluster's DNS, also through the cache on their node.
func dnsRule() networkingv1.NetworkPolicyEgressRule {
	const nodeCache = "169.254.20.10/32" // NodeLocal DNSCache
	udp, tcp, port := corev1.ProtocolUDP, corev1.ProtocolTCP, intstr.FromInt32(53)
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{
			podsOf(metav1.NamespaceSystem, map[string]string{"k8s-app": "kube-dns"}),
			{IPBlock: &networkingv1.IPBlock{CIDR: nodeCache}},
		},
		Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp, Port: &port}, {Protocol: &tcp, Port: &port}},
	}
}

func blockOf(address string) (*networkingv1.IPBlock, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("network policy: address of the API server %q: %w", address, err)
	}
	return &networkingv1.IPBlock{CIDR: netip.PrefixFrom(ip, ip.BitLen()).String()}, nil
}

// PriorityClassName is the class of the pods of a copy: one for each name of a cluster, since it
// goes with the copy.
func PriorityClassName(cluster string) string { return "lifeboat-drill-" + cluster }

// PriorityClass lets every other pod push one of the copy off its node, and none of the copy
// push another. Below -10 the cluster autoscaler would add no node for it.
func PriorityClass(cluster string, labels map[string]string) schedulingv1.PriorityClass {
	never := corev1.PreemptNever
	return schedulingv1.PriorityClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: "PriorityClass"},
		ObjectMeta: metav1.ObjectMeta{Name: PriorityClassName(cluster), Labels: labels},
		Value:      -1, PreemptionPolicy: &never,
		Description: "Pods of restore drills, which give way to all others.",
	}
}

// Limit is something that the isolation does not show.
type Limit struct{ Topic, Text string }

// Enforcement is whether the cluster's network holds pods to network policies.
type Enforcement int

// What is known of it.
const (
	EnforcementUnknown Enforcement = iota
	Enforced
	NotEnforced
)

// NotShown lists what neither rules nor policies keep a copy from.
func NotShown(e Enforcement) []Limit {
	limits := []Limit{
		{"names", "Pods of the copy can ask the cluster's DNS for any name: a lookup leaves the copy, a connection does not."},
		{"images", "Nodes pull the images of the copy, outside of its network policy."},
		{"observers", "What reads all pods of the cluster, such as a collector of logs, reads those of the copy, too."},
		{"rights", "Accounts of the copy have the rights that the cluster gives to every account."},
	}
	switch e {
	case NotEnforced:
		limits = append(limits, Limit{"network", "The cluster's network does not enforce network policies: pods of the copy could reach everything. Install a network plug-in that does."})
	case EnforcementUnknown:
		limits = append(limits, Limit{"network", "Whether the cluster's network enforces network policies was not tried: that is done by pods that read volumes, with an address that answers the worker, too."})
	case Enforced:
		limits = append(limits, Limit{"network", "That pods of the copy do not get out was tried with one connection of each pod that reads a volume. What other pods tried was not counted."})
	}
	return limits
}
