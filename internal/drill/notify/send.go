package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Sender sends messages.
type Sender struct {
	Kube *kube.Client
	// Namespace is the worker's, in which the Secrets with URLs are.
	Namespace string
}

// timeout bounds one try.
const timeout = 30 * time.Second

// Send tells one who is to be notified, unless the message is none that he asked for. It may
// repeat. Errors of the type InvalidInput are final: the receiver refuses the message, or the
// Secret holds no URL.
func (s *Sender) Send(ctx context.Context, n definition.Notification, m Message) error {
	if n.When == definition.NotifyFailure && m.passed() {
		return nil
	}
	switch {
	case n.Event != nil:
		return s.makeEvent(ctx, n, &m)
	case n.Webhook != nil:
		return s.postWebhook(ctx, n, &m)
	}
	return failure.Invalid("notification %s: has to have one of webhook and event", n.Name)
}

func (s *Sender) postWebhook(ctx context.Context, n definition.Notification, m *Message) error {
	target, err := s.readURL(ctx, n.Webhook.URLFrom)
	if err != nil {
		return err
	}
	body, err := bodyOf(n.Webhook.Form, m)
	if err != nil {
		return failure.Invalid("write the message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return failure.Invalid("the URL cannot be used") // without the cause, which quotes it
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", keyOf(m, n.Name))
	return post(request)
}

// readURL reads the URL of a webhook. Errors do not quote it.
func (s *Sender) readURL(ctx context.Context, from definition.SecretKey) (*url.URL, error) {
	value, err := kube.SecretValue(ctx, s.Kube, s.Namespace, from.Name, from.Key)
	if errors.Is(err, kube.ErrNoSecret) {
		return nil, failure.Invalid("%w", err)
	}
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(strings.TrimSpace(string(value)))
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		return nil, failure.Invalid("key %q of secret %s/%s is not a URL of https or http", from.Key, s.Namespace, from.Name)
	}
	return target, nil
}

// keyOf is the same for each try at a notification, and tells nothing.
func keyOf(m *Message, name string) string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + name))
	return hex.EncodeToString(sum[:16])
}

// post sends a request once. Redirects are not followed: they would carry the message elsewhere.
func post(request *http.Request) error {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	switch code := answer.StatusCode; {
	case code < http.StatusMultipleChoices:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return fmt.Errorf("the receiver answered with status %d", code)
	default:
		return failure.Invalid("the receiver refuses the message with status %d: look whether URL and form belong together", code)
	}
}

// withoutURL says why there was no answer. Errors of net and net/http quote the host and URL.
func withoutURL(err error) error {
	var lookup *net.DNSError
	var connection *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", timeout)
	case errors.As(err, &untrusted):
		return errors.New("the receiver's certificate is not trusted")
	case errors.As(err, &lookup):
		return errors.New("the receiver's host name could not be looked up")
	case errors.As(err, &connection):
		return fmt.Errorf("no connection to the receiver: %s", reasonOf(connection))
	}
	return errors.New("no answer from the receiver")
}

// reasonOf is the system's word for it: "connect: connection refused".
func reasonOf(err *net.OpError) string {
	if err.Err == nil {
		return err.Op
	}
	return err.Err.Error()
}

// makeEvent makes an Event about a namespace. Its name follows from the drill, so that a
// repetition makes none.
func (s *Sender) makeEvent(ctx context.Context, n definition.Notification, m *Message) error {
	const longest = 1000 // of the 1,024 bytes that the API server takes
	reason, kind := "DrillPassed", corev1.EventTypeNormal
	if !m.passed() {
		reason, kind = "DrillFailed", corev1.EventTypeWarning
	}
	at := metav1.NewTime(m.Finished)
	event := corev1.Event{
		TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta:     metav1.ObjectMeta{Name: "lifeboat-drill-" + keyOf(m, n.Name), Namespace: n.Event.Namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: n.Event.Namespace, Namespace: n.Event.Namespace},
		Reason:         reason, Type: kind, Message: cut(m.summary()+". "+m.details(), longest),
		Source: corev1.EventSource{Component: "lifeboat"}, FirstTimestamp: at, LastTimestamp: at, Count: 1,
	}
	_, err := kube.Make(ctx, s.Kube, kube.Events(), n.Event.Namespace, &event, kube.WriteOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return failure.Invalid("make an Event in namespace %s: %w", n.Event.Namespace, err)
	}
	return err
}
