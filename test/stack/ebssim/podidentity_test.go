package ebssim_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const podRole = "arn:aws:iam::111122223333:role/pods"

// podOptions have a role that the pods of lifeboat/worker in the cluster east may take, by the trust policy
// that Lifeboat prints, with associations of theirs and of others.
func podOptions(t *testing.T, p *provider) func(*ebssim.Options) {
	t.Helper()
	document := must[iam.Document](t)(iam.TrustPodIdentity(iam.Holder{Cluster: "east", Namespace: "lifeboat", ServiceAccount: "worker"}))
	trust := must[[]byte](t)(document.Text())
	may := json.RawMessage(`{"Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVolumes", "Resource": "*"},
	  {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}]}`)
	return func(o *ebssim.Options) {
		p.options(o)
		o.Roles = append(o.Roles, ebssim.Role{Name: "pods", Trust: trust, Policies: []json.RawMessage{may}})
		for _, a := range []ebssim.Association{
			{Cluster: "east", Namespace: "lifeboat", ServiceAccount: "worker", Role: podRole},
			{Cluster: "west", Namespace: "lifeboat", ServiceAccount: "of-west", Role: podRole},
			{Cluster: "east", Namespace: "other", ServiceAccount: "worker", Role: podRole},
			{Cluster: "east", Namespace: "lifeboat", ServiceAccount: "irsa", Role: workerRole},
		} {
			a.Lasts = ebssim.Duration(time.Minute)
			o.Associations = append(o.Associations, a)
		}
	}
}

// podToken is the token that the kubelet projects into a pod of a service account.
func (p *provider) podToken(t *testing.T, namespace, account string, change func(map[string]any)) string {
	t.Helper()
	return p.token(t, "e", "ES256", func(claims map[string]any) {
		claims["aud"] = []string{"pods.eks.amazonaws.com"}
		claims["sub"] = "system:serviceaccount:" + namespace + ":" + account
		object := func(name string) map[string]string { return map[string]string{"name": name, "uid": "uid-of-" + name} }
		claims["kubernetes.io"] = map[string]any{"namespace": namespace, "serviceaccount": object(account), "pod": object("worker-1")}
		if change != nil {
			change(claims)
		}
	})
}

func agent(url, token string) *endpointcreds.Provider {
	return endpointcreds.New(url+"/v1/credentials", func(o *endpointcreds.Options) {
		o.AuthorizationToken, o.Retryer = token, answersOnly()
	})
}

// TestPodIdentityCodes: only a pod's own token, for EKS, of an associated service account that the role trusts
// with the tags that EKS sets, becomes the role.
func TestPodIdentityCodes(t *testing.T) {
	p := newProvider(t)
	r := start(t, podOptions(t, p))
	set := func(key string, value any) func(map[string]any) { return func(c map[string]any) { c[key] = value } }
	for _, c := range []struct{ name, token, code string }{
		{"its own", p.podToken(t, "lifeboat", "worker", nil), ""},
		{"no token", "", "InvalidTokenException"},
		{"another audience", p.podToken(t, "lifeboat", "worker", set("aud", "sts.amazonaws.com")), "InvalidTokenException"},
		{"expired", p.podToken(t, "lifeboat", "worker", set("exp", time.Now().Add(-time.Minute).Unix())), "ExpiredTokenException"},
		{"of no pod", p.podToken(t, "lifeboat", "worker", set("kubernetes.io", map[string]any{"namespace": "lifeboat", "serviceaccount": map[string]string{"name": "worker", "uid": "u"}})), "InvalidTokenException"},
		{"another issuer", p.podToken(t, "lifeboat", "worker", set("iss", "https://elsewhere.example")), "InvalidTokenException"},
		{"not associated", p.podToken(t, "lifeboat", "stranger", nil), "ResourceNotFoundException"},
		{"associated by another cluster's name", p.podToken(t, "lifeboat", "of-west", nil), "AccessDeniedException"},
		{"associated in another namespace", p.podToken(t, "other", "worker", nil), "AccessDeniedException"},
		{"a role that trusts IRSA only", p.podToken(t, "lifeboat", "irsa", nil), "AccessDeniedException"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, err := agent(r.url, c.token).Retrieve(t.Context())
			if c.code == "" && err == nil && keys.AccountID == account && keys.Expires.Equal(r.clock.Now().Add(time.Minute)) {
				return
			}
			if c.code == "" || err == nil || !strings.Contains(err.Error(), "("+c.code+"): ") {
				t.Errorf("want %q: %v %v", c.code, keys.AccountID, err)
			}
		})
	}
}

// TestPodIdentityUnavailable: what passes has a status that says so.
func TestPodIdentityUnavailable(t *testing.T) {
	p := newProvider(t)
	r := start(t, podOptions(t, p))
	must[ebssim.Fault](t)(r.AddFault(ebssim.Fault{Action: "AssumeRoleForPodIdentity", Effect: ebssim.EffectError, Code: "ThrottlingException", Status: 429, Times: 1}))
	fetch := func() (status int) {
		_, err := agent(r.url, p.podToken(t, "lifeboat", "worker", nil)).Retrieve(t.Context())
		if answer := (interface{ HTTPStatusCode() int })(nil); errors.As(err, &answer) {
			status = answer.HTTPStatusCode()
		}
		return status
	}
	if got := fetch(); got != 429 {
		t.Errorf("throttled: status %d", got)
	}
	p.Close()
	if got := fetch(); got != 503 {
		t.Errorf("no keys of the issuer: status %d", got)
	}
}

// TestPodIdentitySession: the session has the role's rights, ends with its minute, and hands its tags on to the
// session of another role, which has to let it be tagged and whose caller cannot say them anew.
func TestPodIdentitySession(t *testing.T) {
	p := newProvider(t)
	r := start(t, podOptions(t, p))
	keys := must[aws.Credentials](t)(agent(r.url, p.podToken(t, "lifeboat", "worker", nil)).Retrieve(t.Context()))
	as, who := client(r.url, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken), stsClient(r.url, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
	must[*ec2.DescribeVolumesOutput](t)(as.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}))
	_, err := as.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{})
	wantCode(t, err, "UnauthorizedOperation")
	out := must[*sts.GetCallerIdentityOutput](t)(who.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if !strings.HasPrefix(*out.Arn, "arn:aws:sts::111122223333:assumed-role/pods/eks-east-worker-1-") {
		t.Errorf("got %s", *out.Arn)
	}
	look := json.RawMessage(`{"Statement": {"Effect": "Allow", "Action": "ec2:DescribeVolumes", "Resource": "*",
	  "Condition": {"StringEquals": {"aws:PrincipalTag/kubernetes-namespace": "lifeboat"}}}}`)
	assume := func(action string, tags ...types.Tag) (*sts.AssumeRoleOutput, error) {
		trust := json.RawMessage(`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "` + podRole + `"}, "Action": "` + action + `"}]}`)
		if err := r.AddRole(ebssim.Role{Name: "next", Trust: trust, Policies: []json.RawMessage{look}}); err != nil {
			t.Fatal(err)
		}
		return who.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/next"), RoleSessionName: aws.String("s"), Tags: tags})
	}
	_, err = assume("sts:AssumeRole")
	wantCode(t, err, "AccessDenied")
	_, err = assume("sts:*", types.Tag{Key: aws.String("kubernetes-namespace"), Value: aws.String("mine")})
	wantCode(t, err, "InvalidParameterValue")
	next := must[*sts.AssumeRoleOutput](t)(assume("sts:*")).Credentials
	must[*ec2.DescribeVolumesOutput](t)(client(r.url, *next.AccessKeyId, *next.SecretAccessKey, *next.SessionToken).DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}))
	r.clock.Advance(time.Minute)
	_, err = as.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{})
	wantCode(t, err, "RequestExpired")
}
