package ebssim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/webid"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

const (
	// podPath is where the agent of EKS Pod Identity answers, on each node at 169.254.170.23.
	podPath     = "/v1/credentials"
	podService  = "pods.eks.amazonaws.com" // audience of the tokens and principal of the trust policies
	podDuration = 6 * time.Hour
)

// AddAssociation gives a service account a role, or another one. It is forgotten as AddUser says.
func (s *Sim) AddAssociation(a Association) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addAssociation(a)
}

func (s *Sim) addAssociation(a Association) error {
	if a.Cluster == "" || a.Namespace == "" || a.ServiceAccount == "" || a.Role == "" {
		return errors.New("association: cluster, namespace, serviceAccount and role are needed")
	}
	s.pods[a.Namespace+"/"+a.ServiceAccount] = a
	return nil
}

// podKeys is what the agent answers to a pod.
type podKeys struct {
	AccessKeyID string    `json:"AccessKeyId"`
	Secret      string    `json:"SecretAccessKey"`
	Token       string    `json:"Token"`
	Account     string    `json:"AccountId"`
	Expires     time.Time `json:"Expiration"`
}

// podCredentials is the agent of EKS Pod Identity and what it asks in one: the token of a pod becomes
// the role that its service account is associated with. As in assumeRole, the lock is not held while
// keys are fetched.
func (s *Sim) podCredentials(ctx context.Context, c *call, token string) (any, error) {
	c.now = s.clock.Now()
	pod, err := s.verifyPod(ctx, c, token)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.pods[pod.Namespace+"/"+pod.ServiceAccount.Name]
	if !ok {
		return nil, &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: fmt.Sprintf("No pod identity association for service account %s in namespace %s", pod.ServiceAccount.Name, pod.Namespace)}
	}
	kept := credential{
		Session: fmt.Sprintf("eks-%s-%s-%s", a.Cluster, pod.Pod.Name, newSecret()), Secret: newSecret(), Token: newSecret() + newSecret(),
		Expires: c.now.Add(cmp.Or(a.Lasts.D(), podDuration)), Transitive: s.podTags(a, pod),
	}
	kept.Session = kept.Session[:min(len(kept.Session), 64)]
	held, err := s.associated(a, kept.Transitive)
	if err != nil {
		return nil, err
	}
	begun, err := s.begin(c, held, kept)
	return podKeys{begun.AccessKeyID, kept.Secret, kept.Token, cmp.Or(held.Account, s.options.AccountID), kept.Expires}, err
}

// verifyPod wants a token of a service account that is bound to a pod and meant for EKS.
func (s *Sim) verifyPod(ctx context.Context, c *call, token string) (webid.Kubernetes, error) {
	claims, _, err := s.verifyToken(ctx, c, token)
	pod := claims.Kubernetes
	switch {
	case err != nil:
		return pod, podError(err)
	case !claims.For(podService):
		return pod, wire.Invalid("InvalidTokenException", "invalid audience: expected %s", podService)
	case slices.Contains([]string{pod.Namespace, pod.ServiceAccount.Name, pod.ServiceAccount.UID, pod.Pod.Name, pod.Pod.UID}, ""):
		return pod, wire.Invalid("InvalidTokenException", "missing claim: namespace, service account or pod of kubernetes.io")
	}
	return pod, nil
}

// podError has EKS's codes in the place of STS's.
func podError(err error) error {
	known := *wire.AsError(err)
	switch known.Code {
	case "InvalidIdentityToken":
		known.Code = "InvalidTokenException"
	case "IDPCommunicationError":
		known.Code, known.Status = "ServiceUnavailableException", http.StatusServiceUnavailable
	}
	return &known
}

// podTags are the tags that EKS gives a session.
func (s *Sim) podTags(a Association, pod webid.Kubernetes) map[string]string {
	return map[string]string{
		"eks-cluster-arn":  fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", s.options.Region, s.options.AccountID, a.Cluster),
		"eks-cluster-name": a.Cluster, "kubernetes-namespace": pod.Namespace, "kubernetes-service-account": pod.ServiceAccount.Name,
		"kubernetes-pod-name": pod.Pod.Name, "kubernetes-pod-uid": pod.Pod.UID,
	}
}

// associated is the role of an association, if its trust policy lets EKS take it with these tags.
func (s *Sim) associated(a Association, tags map[string]string) (*role, error) {
	held, ok := s.roles[a.Role]
	ok = ok && slices.Contains(held.principals("Service"), any(podService))
	for _, r := range sessionRequests(a.Role, "", tags, true) {
		if !ok || evaluation.Evaluate([]evaluation.Policy{held.trust}, r) != evaluation.Allowed {
			return nil, wire.Invalid("AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.")
		}
	}
	return held, nil
}

// writePod answers as the agent does: failures are plain text, with the status that EKS answered to it.
func writePod(w http.ResponseWriter, answer any, failure error) {
	if failure == nil {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
		return
	}
	known, fault := wire.AsError(failure), "client"
	if known.Status >= http.StatusInternalServerError {
		fault = "server"
	}
	http.Error(w, strings.TrimSpace(fmt.Sprintf("(%s): %s, fault: %s", known.Code, known.Message, fault)), known.Status)
}
