package iam

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// Holder is who may take the role: the worker's service account in one cluster.
type Holder struct {
	Partition      string // default aws
	Account        string // 12 digits
	Issuer         string // of the cluster's tokens, https://oidc.eks.REGION.amazonaws.com/id/…
	Cluster        string // the EKS cluster's name, for Pod Identity
	Namespace      string
	ServiceAccount string
}

var (
	kubernetesName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	clusterName    = regexp.MustCompile(`^[0-9A-Za-z][\w-]{0,99}$`) // as EKS takes it
)

func (h Holder) check() error {
	if err := checkPartition(h.Partition); err != nil {
		return err
	}
	for field, name := range map[string]string{"namespace": h.Namespace, "service account": h.ServiceAccount} {
		if !kubernetesName.MatchString(name) {
			return fmt.Errorf("%s: %q is no name in Kubernetes", field, name)
		}
	}
	return nil
}

// TrustWebIdentity lets the tokens of one service account take the role (IRSA). Both audience
// and subject are asked for: without the subject any pod of the cluster could.
func TrustWebIdentity(h Holder) (Document, error) {
	issuer, ok := strings.CutPrefix(h.Issuer, "https://")
	issuer = strings.TrimSuffix(issuer, "/")
	switch err := h.check(); {
	case err != nil:
		return Document{}, err
	case !ok || issuer == "" || strings.ContainsAny(issuer, "*?$ "):
		return Document{}, fmt.Errorf("issuer: %q is no https URL; `aws eks describe-cluster --query cluster.identity.oidc.issuer` has it", h.Issuer)
	case !account.MatchString(h.Account):
		return Document{}, fmt.Errorf("account: %q is no account of 12 digits", h.Account)
	}
	return trust("WorkerOfCluster", map[string]string{"Federated": "arn:" + h.partition() + ":iam::" + h.Account + ":oidc-provider/" + issuer},
		[]string{"sts:AssumeRoleWithWebIdentity"}, map[string]oneOrMore{
			issuer + ":aud": {"sts.amazonaws.com"},
			issuer + ":sub": {"system:serviceaccount:" + h.Namespace + ":" + h.ServiceAccount},
		}), nil
}

// TrustPodIdentity lets EKS give the role to pods of one service account of one cluster, which it
// names as tags of the session.
func TrustPodIdentity(h Holder) (Document, error) {
	switch err := h.check(); {
	case err != nil:
		return Document{}, err
	case h.Cluster == "":
		return Document{}, fmt.Errorf("EKS cluster: say the EKS cluster's name: without it the pods of any cluster of the account could take the role")
	case !clusterName.MatchString(h.Cluster):
		return Document{}, fmt.Errorf("EKS cluster: %q is no name of an EKS cluster", h.Cluster)
	}
	return trust("WorkerOfCluster", map[string]string{"Service": "pods.eks.amazonaws.com"},
		[]string{"sts:AssumeRole", "sts:TagSession"}, map[string]oneOrMore{
			"aws:RequestTag/eks-cluster-name":           {h.Cluster},
			"aws:RequestTag/kubernetes-namespace":       {h.Namespace},
			"aws:RequestTag/kubernetes-service-account": {h.ServiceAccount},
		}), nil
}

func (h Holder) partition() string {
	if h.Partition == "" {
		return "aws"
	}
	return h.Partition
}

func trust(sid string, principal map[string]string, actions []string, equals map[string]oneOrMore) Document {
	s := Statement{Sid: sid, Effect: "Allow", Principal: principal, Action: actions}
	if len(equals) > 0 {
		s.Condition = condition{"StringEquals": equals}
	}
	return Document{Version: policyVersion, Statement: []Statement{s}}
}

// Taker is a worker's role that takes a role which locations of another account name.
type Taker struct {
	Role       string            // ARN of the worker's role
	ExternalID string            // that the location says
	Tags       map[string]string // of the session, that the location says
}

// TrustRole lets a worker's role take this one, with the external id and the tags that the location
// has. It may be tagged in any case: the tags that EKS Pod Identity gives the worker's session are
// transitive, and go along. Without an external id a worker that serves several parties could be talked into another's.
func TrustRole(t Taker) (Document, error) {
	if err := t.check(); err != nil {
		return Document{}, err
	}
	tags, equals := map[string]oneOrMore{}, map[string]oneOrMore{}
	for key, value := range t.Tags {
		tags["aws:RequestTag/"+key] = oneOrMore{value}
	}
	maps.Copy(equals, tags)
	if t.ExternalID != "" {
		equals["sts:ExternalId"] = oneOrMore{t.ExternalID}
	}
	worker := map[string]string{"AWS": t.Role}
	d := trust("WorkerOfAnotherAccount", worker, []string{"sts:AssumeRole"}, equals)
	d.Statement = append(d.Statement, trust("TagsOfItsSession", worker, []string{"sts:TagSession"}, tags).Statement...)
	return d, nil
}

func (t Taker) check() error {
	if err := CheckRole(t.Role); err != nil {
		return fmt.Errorf("worker role: %w", err)
	}
	if t.ExternalID == "" && len(t.Tags) == 0 {
		return errors.New("external id: say one, or tags of the session")
	}
	if t.ExternalID != "" {
		if err := CheckExternalID(t.ExternalID); err != nil {
			return fmt.Errorf("external id: %w", err)
		}
	}
	if err := CheckSessionTags(t.Tags); err != nil {
		return fmt.Errorf("session tag: %w", err)
	}
	return nil
}
