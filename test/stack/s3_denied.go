package stack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

// WorkerEnvironment is that of Lifeboat's workers: the object store's log names them by it, beside
// others that have the same key.
const WorkerEnvironment = "AWS_SDK_UA_APP_ID=" + workerUserName

// workerMark is what AWS's SDK makes of WorkerEnvironment in the name of a client.
const workerMark = "app/" + workerUserName

// allowedLocations are the policies of the locations that workers may use, by their places: the ARN
// of the bucket with the prefix, ended by a slash.
type allowedLocations struct {
	mu       sync.Mutex
	policies map[string]evaluation.Policy
}

// of are the policies that can allow a request: a suite has hundreds of places and makes tens of
// thousands of requests, each below one of them, or of the whole bucket.
func (a *allowedLocations) of(r evaluation.Request) (policies []evaluation.Policy) {
	asked := r.Resource + "/"
	if below := r.Keys["s3:prefix"]; len(below) > 0 {
		asked += below[0] + "/"
	}
	for place, policy := range a.policies {
		if strings.HasPrefix(asked, place) || strings.HasPrefix(place, asked) {
			policies = append(policies, policy)
		}
	}
	return policies
}

// s3Log is the file to which the object store writes a line a request.
func (s *Stack) s3Log() string { return s.data("s3-requests.log") }

// AllowLocation lets workers do in a part of a bucket what the policy of deploy/iam allows there.
// Once there is one, whatever else they ask the object store for fails the suite.
func (s *Stack) AllowLocation(bucket, prefix string) error {
	document, err := iam.Policy(iam.Options{Role: iam.All, Bucket: bucket, Prefix: prefix, Inspect: true})
	if err != nil {
		return err
	}
	text, err := document.Text()
	if err != nil {
		return err
	}
	policy, err := evaluation.Parse(text)
	if err != nil {
		return err
	}
	s.allowed.mu.Lock()
	defer s.allowed.mu.Unlock()
	if s.allowed.policies == nil {
		s.allowed.policies = map[string]evaluation.Policy{}
	}
	s.allowed.policies[strings.TrimRight("arn:aws:s3:::"+bucket+"/"+strings.Trim(prefix, "/"), "/")+"/"] = policy
	return nil
}

// requestsLogged is the length of the object store's log.
func (s *Stack) requestsLogged() (int64, error) {
	info, err := os.Stat(s.s3Log())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// deniedRequests names what the policies of the locations deny to Lifeboat's workers of what they
// asked the object store for from a place in its log on, one line a kind of request.
func (s *Stack) deniedRequests(from int64) ([]string, error) {
	s.allowed.mu.Lock()
	defer s.allowed.mu.Unlock()
	log, err := os.Open(s.s3Log())
	if errors.Is(err, fs.ErrNotExist) || len(s.allowed.policies) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if _, err := log.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	denied, lines := map[string]string{}, bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if r, ok := workerRequest(lines.Text()); ok && evaluation.Evaluate(s.allowed.of(r), r) != evaluation.Allowed {
			denied[r.Action] = r.Action + " on " + r.Resource // one is enough
		}
	}
	return slices.Collect(maps.Values(denied)), lines.Err()
}

// workerRequest is what IAM would be asked for a line of the object store's log; false of requests
// that are not a worker's, and of HeadBucket, which says a bucket's Region also where it is denied.
//
// A line has the bucket's owner, the bucket, and later the operation, the key, which may have blanks,
// and the request's URI, which has none and begins with the bucket. Of a request that deletes many
// keys no line says which: it is not judged.
func workerRequest(line string) (evaluation.Request, bool) {
	_, rest, found := strings.Cut(line, " s3_")
	if !found || !strings.Contains(rest, workerMark) {
		return evaluation.Request{}, false
	}
	_, bucket, _ := strings.Cut(line, " ")
	bucket, _, _ = strings.Cut(bucket, " ")
	start := " /" + strings.Trim(bucket, "-") // "-" where there is none
	operation, rest, _ := strings.Cut(rest, " ")
	_, uri, _ := strings.Cut(rest, start)
	uri, _, _ = strings.Cut(uri, " ")
	u, err := url.Parse(start[1:] + uri)
	if err != nil || operation == "HeadBucket" || operation == "DeleteObjects" {
		return evaluation.Request{}, false
	}
	r := evaluation.Request{Action: s3Action(operation, u.Query()), Resource: "arn:aws:s3:::" + strings.Trim(u.Path, "/")}
	if r.Action == "s3:ListBucket" {
		r.Set("s3:prefix", u.Query().Get("prefix"))
	}
	return r, true
}

// s3Action is the right that an operation needs, which often has another name:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func s3Action(operation string, query url.Values) string {
	names := map[string]string{
		"HeadObject": "GetObject", "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions",
		"CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "UploadPartCopy": "PutObject", "CompleteMultipartUpload": "PutObject",
		"ListParts": "ListMultipartUploadParts", "ListMultipartUploads": "ListBucketMultipartUploads",
		"GetObjectLockConfiguration": "GetBucketObjectLockConfiguration", "GetBucketEncryption": "GetEncryptionConfiguration",
		"GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "GetBucketReplication": "GetReplicationConfiguration",
	}
	name := operation
	if other, ok := names[operation]; ok {
		name = other
	}
	if query.Has("versionId") && (name == "GetObject" || name == "DeleteObject") {
		name += "Version"
	}
	return fmt.Sprint("s3:", name)
}
