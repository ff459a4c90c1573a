package isolation

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/resource/builtin"
)

// noRouter is a class of ingresses and gateways that nobody serves.
const noRouter = "lifeboat-drill"

// editRoute is for what leads traffic into a cluster or names it outside. Whatever it says to
// its controller in annotations goes, and its host names become others everywhere in it.
func (e *editor) editRoute(resource string, obj map[string]any) {
	plural, group, _ := strings.Cut(resource, ".")
	if !isRouting(plural, group) {
		if !builtin.IsGroup(group) && !(e.rules.Owned != nil && e.rules.Owned(resource, nameOf(obj))) {
			e.hideHosts(obj)
		}
		return
	}
	e.drop(RuleRouter, obj, "", "status")
	meta := child(obj, "metadata")
	for _, key := range slices.Sorted(maps.Keys(child(meta, "annotations"))) {
		if key != lastApplied {
			e.dropAnnotation(meta, "metadata", key, RuleRouter)
		}
	}
	if spec := child(obj, "spec"); spec != nil {
		e.editRouter(resource, spec)
		e.replaceHosts(spec, hostsOf(spec, group == istioGroup))
	}
}

// hideHosts is for custom resources of which nobody knows what they lead where: what stands where a host name
// stands, or in a URL, and looks like one outside of the cluster, becomes another.
func (e *editor) hideHosts(obj map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(obj)) {
		part, isObject := obj[key].(map[string]any)
		if !isObject || key == "metadata" {
			continue
		}
		hosts := append(hostsOf(part, false), e.hostsOfURLs(part, key)...)
		hosts = slices.DeleteFunc(hosts, func(host string) bool { return !isOutsideName(host) || isOurHost(host) })
		slices.SortFunc(hosts, longestFirst)
		e.replaceHostsIn(part, key, hosts)
	}
}

// hostsOfURLs finds the host names in URLs.
func (e *editor) hostsOfURLs(part map[string]any, name string) (hosts []string) {
	e.replaceIn(part, name, "", func(_, s string) string {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		}
		return s
	})
	return hosts
}

// hostName is what a host name looks like, with a port or without.
var hostName = regexp.MustCompile(`^(\*\.)?([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?\.)+[a-zA-Z][a-zA-Z0-9-]*\.?(:[0-9]+)?$`)

// isOutsideName reports whether a text has the form of a host name that is not one of the cluster's Services.
func isOutsideName(s string) bool {
	bare, _, _ := strings.Cut(strings.TrimSuffix(s, "."), ":")
	return hostName.MatchString(s) && !strings.HasSuffix(bare, ".svc") && !strings.HasSuffix(bare, ".cluster.local")
}

const (
	istioGroup   = "networking.istio.io"
	gatewayGroup = "gateway.networking.k8s.io"
)

func isRouting(plural, group string) bool {
	switch group {
	case "networking.k8s.io", "extensions":
		return plural == "ingresses"
	case gatewayGroup, "gateway.networking.x-k8s.io", istioGroup, "route.openshift.io", "traefik.io", "traefik.containo.us",
		"projectcontour.io", "configuration.konghq.com", "getambassador.io", "externaldns.k8s.io", "cert-manager.io", "acme.cert-manager.io":
		return true
	}
	return false
}

// editRouter cuts a route off from the routers that would serve it.
func (e *editor) editRouter(resource string, spec map[string]any) {
	e.drop(RuleAddress, spec, "spec", "addresses", "externalIPs", "ipAddresses", "targets")
	switch resource {
	case "ingresses.networking.k8s.io", "ingresses.extensions":
		e.set(RuleRouter, spec, "spec", "ingressClassName", noRouter)
		return
	case "gateways." + gatewayGroup:
		e.set(RuleRouter, spec, "spec", "gatewayClassName", noRouter)
		e.drop(RuleRouter, spec, "spec", "infrastructure")
		return
	case "gateways." + istioGroup:
		e.set(RuleRouter, spec, "spec", "selector", map[string]any{noRouter: "none"})
		return
	case "virtualservices." + istioGroup, "serviceentries." + istioGroup, "destinationrules." + istioGroup:
		e.set(RuleRouter, spec, "spec", "exportTo", []any{"."})
		e.drop(RuleAddress, spec, "spec", "endpoints")
	case "dnsendpoints.externaldns.k8s.io":
		e.drop(RuleDNS, spec, "spec", "endpoints")
	}
	e.keepItems(RuleRouter, spec, "spec", "gateways", func(item any) bool {
		name, _ := item.(string)
		namespace, _, qualified := strings.Cut(name, "/")
		return name != "mesh" && (!qualified || e.isOurs(namespace))
	})
	e.keepItems(RuleRouter, spec, "spec", "parentRefs", func(item any) bool {
		parent, _ := item.(map[string]any)
		namespace := text(parent, "namespace")
		return namespace == "" || e.isOurs(namespace)
	})
}

// isHostField reports whether a field of a route, by its lower-case name, has host names.
func isHostField(name string) bool {
	switch name {
	case "host", "hosts", "hostname", "hostnames", "fqdn", "fqdns", "dnsname", "dnsnames", "domain", "domains",
		"subdomain", "sni", "snis", "snihosts", "commonname", "uris", "emailaddresses", "match", "server", "authority", "redirect":
		return true
	}
	return false
}

// hostsOf finds the host names in a spec, longest first, for one may hold another. In a mesh
// names without a dot are Services of the same namespace and stay.
func hostsOf(value any, mesh bool) []string {
	found := map[string]bool{}
	collectHosts(value, "", func(host string) {
		if isOurHost(host) || mesh && !strings.ContainsAny(host, ".*") {
			return
		}
		found[host] = true
		_, bare, _ := strings.Cut("/"+host, "/") // a mesh writes namespace/host
		if _, after, ok := strings.Cut(bare, "/"); ok && !strings.Contains(bare, "://") {
			bare = after
		}
		bare, _, _ = strings.Cut(strings.TrimPrefix(bare, "*."), ":")
		if strings.Contains(bare, ".") {
			found[bare] = true
		}
	})
	return slices.SortedFunc(maps.Keys(found), longestFirst)
}

func longestFirst(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }

func collectHosts(value any, field string, found func(string)) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			collectHosts(inner, strings.ToLower(key), found)
		}
	case []any:
		for _, inner := range v {
			collectHosts(inner, field, found)
		}
	case string:
		switch {
		case field == "match": // Traefik's: Host(`a.example.com`) && PathPrefix(`/`)
			for _, quoted := range quotedWords().FindAllStringSubmatch(v, -1) {
				if !strings.HasPrefix(quoted[1], "/") {
					found(quoted[1])
				}
			}
		case isHostField(field) && v != "":
			found(v)
		}
	}
}

func quotedWords() *regexp.Regexp { return regexp.MustCompile("[`\"']([^`\"']+)[`\"']") }

// ourHost is the name in the place of a host name: the same for the same name, and one that
// no resolver knows (RFC 2606).
func ourHost(host string) string {
	sum := sha256.Sum256([]byte(host))
	return "drill-" + hex.EncodeToString(sum[:4]) + ".invalid"
}

func isOurHost(host string) bool {
	return strings.HasPrefix(host, "drill-") && strings.HasSuffix(host, ".invalid")
}

// replaceHosts puts other names in the place of hosts: within every text of a spec, and those
// without a dot, which may be the names of anything, where a host name stands.
func (e *editor) replaceHosts(spec map[string]any, hosts []string) {
	e.replaceHostsIn(spec, "spec", hosts)
}

// replaceHostsIn is replaceHosts for a part of an object that has another name.
func (e *editor) replaceHostsIn(part map[string]any, name string, hosts []string) {
	if len(hosts) == 0 {
		return
	}
	e.replaceIn(part, name, "", func(field, s string) string {
		for _, host := range hosts {
			switch {
			case strings.Contains(strings.TrimLeft(host, "*."), "."):
				s = strings.ReplaceAll(s, host, ourHost(host))
			case s == host && isHostField(field):
				s = ourHost(host)
			}
		}
		return s
	})
}

func (e *editor) replaceIn(value any, path, field string, replace func(field, s string) string) any {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = e.replaceIn(v[key], path+"."+key, strings.ToLower(key), replace)
		}
	case []any:
		for i := range v {
			v[i] = e.replaceIn(v[i], path+"["+strconv.Itoa(i)+"]", field, replace)
		}
	case string:
		if after := replace(field, v); after != v {
			e.note(RuleHost, path, v, after)
			return after
		}
	}
	return value
}
