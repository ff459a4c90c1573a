package resource

import (
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// restoreService lets go of what the cluster assigned: cluster IPs (unless the
// Service is headless), IP families and node ports that no manifest states. A cluster IP
// that one states is asked for at the create.
// The address of a load balancer is never kept.
func restoreService(c *Context, obj map[string]any, out *Outcome) error {
	if apiServerObject(obj) {
		out.setSkip(report.ClusterManaged, "the API server keeps its own service")
		return nil
	}
	spec, author := child(obj, "spec"), authoredFieldsOf(obj)
	releaseClusterIP(spec, author, out)
	for _, field := range []string{"ipFamilies", "ipFamilyPolicy"} {
		if !author.hasSpecField(field) {
			delete(spec, field)
		}
	}
	if !c.PreserveNodePorts {
		releaseNodePorts(spec, author)
	}
	warnOfAddress(obj, out)
	return nil
}

// apiServerObject recognises the Service, Endpoints and EndpointSlice by which
// a cluster reaches its own API server.
func apiServerObject(obj map[string]any) bool {
	return name(obj) == "kubernetes" && namespace(obj) == "default"
}

func releaseClusterIP(spec map[string]any, author authoredFields, out *Outcome) {
	ip := str(spec, "clusterIP")
	if ip == "None" {
		return
	}
	all := spec["clusterIPs"]
	drop(spec, "clusterIP", "clusterIPs")
	switch {
	case ip == "":
	case author.hasSpecField("clusterIPs"):
		out.ClusterIP = map[string]any{"clusterIP": ip, "clusterIPs": all}
	case author.hasSpecField("clusterIP"):
		out.ClusterIP = map[string]any{"clusterIP": ip}
	}
}

func releaseNodePorts(spec map[string]any, author authoredFields) {
	if !author.hasSpecField("healthCheckNodePort") {
		delete(spec, "healthCheckNodePort")
	}
	applied, owned := author.nodePorts()
	for _, p := range objects(spec, "ports") {
		n, ok := number(p, "nodePort")
		if !ok || applied[n] || owned[portOf(p)] {
			continue
		}
		delete(p, "nodePort")
	}
}

func portOf(p map[string]any) port {
	n, _ := number(p, "port")
	protocol := str(p, "protocol")
	if protocol == "" {
		protocol = "TCP"
	}
	return port{Port: n, Protocol: protocol}
}

// warnOfAddress says which outside addresses clients and DNS records may still
// use. It serves Services and Ingresses.
func warnOfAddress(obj map[string]any, out *Outcome) {
	var addresses []string
	for _, ingress := range objects(walk(obj, "status", "loadBalancer"), "ingress") {
		for _, key := range []string{"hostname", "ip"} {
			if address := str(ingress, key); address != "" {
				addresses = append(addresses, address)
			}
		}
	}
	if len(addresses) > 0 {
		out.addWarning(report.AddressChanges, fmt.Sprintf(
			"its load balancer was %s and may now get another address; point DNS records to the new one", strings.Join(addresses, ", ")))
	}
}
