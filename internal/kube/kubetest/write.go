package kubetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// createObject stores a new object. The caller holds the lock.
func (s *Server) createObject(t Type, q Request) (object, error) {
	o, err := s.decodeBody(t, q)
	if err != nil {
		return nil, err
	}
	if metaText(o, "resourceVersion") != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if err := s.checkNamespace(t, q, o); err != nil {
		return nil, err
	}
	meta := metaOf(o)
	for _, given := range []string{"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} {
		delete(meta, given) // is the server's to give
	}
	if metaText(o, "name") == "" && metaText(o, "generateName") != "" {
		meta["name"] = metaText(o, "generateName") + randomSuffix()
	}
	if err := s.validateObject(t, o); err != nil {
		return nil, err
	}
	key := objectKey{t.GroupResource(), q.Namespace, metaText(o, "name")}
	if _, taken := s.objects[key]; taken {
		return nil, apierrors.NewAlreadyExists(t.groupResource(), key.name)
	}
	if t.Status {
		delete(o, "status")
	}
	if phase := firstPhase(t); phase != "" {
		o["status"] = object{"phase": phase}
	}
	return s.storeUnlessDryRun(t, q, key, o), nil
}

// storeUnlessDryRun stores a changed object, unless it is a dry run, and shows it.
func (s *Server) storeUnlessDryRun(t Type, q Request, key objectKey, o object) object {
	if q.Query.Get("dryRun") == "" {
		s.saveOrRemove(key, o)
	}
	return t.inVersion(o)
}

// firstPhase is the phase that the API server itself gives to new objects.
func firstPhase(t Type) string {
	return map[string]string{"pods": "Pending", "persistentvolumeclaims": "Pending", "persistentvolumes": "Pending", "namespaces": "Active"}[t.GroupResource()]
}

func randomSuffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var b strings.Builder
	for range 5 {
		b.WriteByte(letters[rand.IntN(len(letters))])
	}
	return b.String()
}

// checkNamespace refuses a new object whose namespace is not there, or on its way out.
func (s *Server) checkNamespace(t Type, q Request, o object) error {
	if !t.Namespaced {
		return nil
	}
	space, ok := s.objects[namespaceKey(q.Namespace)]
	if !ok {
		return apierrors.NewNotFound(Type{Resource: kube.Resource{Name: "namespaces"}}.groupResource(), q.Namespace)
	}
	if isEmpty(metaOf(space)["deletionTimestamp"]) {
		return nil
	}
	err := apierrors.NewForbidden(t.groupResource(), metaText(o, "name"), fmt.Errorf("unable to create new content in namespace %s because it is being terminated", q.Namespace))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: "NamespaceTerminating", Message: "namespace " + q.Namespace + " is being terminated", Field: "metadata.namespace",
	})
	return err
}

// updateObject is an update. The caller holds the lock.
func (s *Server) updateObject(t Type, q Request) (object, error) {
	o, err := s.decodeBody(t, q)
	if err != nil {
		return nil, err
	}
	if metaText(o, "name") != q.Name {
		return nil, apierrors.NewBadRequest("the name of the object does not match the name on the URL")
	}
	return s.changeObject(t, q, o)
}

// patchObject merges a patch of the one kind that Lifeboat sends. The caller holds the
// lock.
func (s *Server) patchObject(t Type, q Request, contentType string) (object, error) {
	if contentType != string(kube.PatchMerge) {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
			Message: "kubetest knows merge patches only, not " + contentType,
		}}
	}
	before, err := s.storedObject(t, q)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(raw, q.Body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	q.Body = merged
	o, err := s.decodeBody(t, q)
	if err != nil {
		return nil, err
	}
	return s.changeObject(t, q, o)
}

// changeObject stores what an update or a patch makes of an object.
func (s *Server) changeObject(t Type, q Request, o object) (object, error) {
	before, err := s.storedObject(t, q)
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"uid", "resourceVersion"} {
		if is, want := metaText(before, field), metaText(o, field); want != "" && want != is {
			return nil, apierrors.NewConflict(t.groupResource(), q.Name, fmt.Errorf("%s is %s, not %s", field, is, want))
		}
		metaOf(o)[field] = metaOf(before)[field]
	}
	for _, field := range []string{"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"} {
		setOrDelete(metaOf(o), field, metaOf(before)[field]) // are the server's, whatever a writer says
	}
	keepOtherHalf(t, q, before, o)
	if err := s.validateChange(t, o, before); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(o, before) {
		return before, nil // what changes nothing makes no new state
	}
	return s.storeUnlessDryRun(t, q, objectKey{t.GroupResource(), q.Namespace, q.Name}, o), nil
}

// keepOtherHalf undoes what a write of the status says of the rest, and the other
// way round.
func keepOtherHalf(t Type, q Request, before, o object) {
	if !t.Status {
		return
	}
	after := maps.Clone(o)
	if q.Subresource == "status" {
		clear(o)
		maps.Copy(o, before)
		setOrDelete(o, "status", after["status"])
		return
	}
	setOrDelete(o, "status", before["status"])
}

func setOrDelete(o object, key string, value any) {
	if value == nil {
		delete(o, key)
		return
	}
	o[key] = value
}

// deleteObject removes an object, or marks it where finalizers or a kubelet have a say.
// The caller holds the lock.
func (s *Server) deleteObject(t Type, q Request) (object, error) {
	opts, err := deleteOptions(q)
	if err != nil {
		return nil, err
	}
	o, err := s.storedObject(t, q)
	if err != nil {
		return nil, err
	}
	if p := opts.Preconditions; p != nil {
		for field, want := range map[string]*string{"uid": (*string)(p.UID), "resourceVersion": p.ResourceVersion} {
			if want != nil && *want != metaText(o, field) {
				return nil, apierrors.NewConflict(t.groupResource(), q.Name, fmt.Errorf("precondition failed: %s is %s, not %s", field, metaText(o, field), *want))
			}
		}
	}
	if len(opts.DryRun) > 0 {
		return o, nil
	}
	key := objectKey{t.GroupResource(), q.Namespace, q.Name}
	if key.resource == "namespaces" {
		s.emptyNamespace(q.Name)
	}
	if !s.isHeldBack(t, o, opts) {
		s.dropObject(key)
		return object{"kind": "Status", "apiVersion": "v1", "status": metav1.StatusSuccess}, nil
	}
	if isEmpty(metaOf(o)["deletionTimestamp"]) {
		metaOf(o)["deletionTimestamp"] = currentTime()
		if key.resource == "namespaces" {
			o["status"] = object{"phase": "Terminating"}
		}
		s.saveObject(key, o)
	}
	return o, nil
}

// deleteOptions are read strictly: a misspelt precondition would be none.
func deleteOptions(q Request) (metav1.DeleteOptions, error) {
	var opts metav1.DeleteOptions
	d := json.NewDecoder(bytes.NewReader(q.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&opts); err != nil && !errors.Is(err, io.EOF) {
		return opts, apierrors.NewBadRequest("delete options: " + err.Error())
	}
	if p := opts.PropagationPolicy; p != nil && *p != metav1.DeletePropagationBackground && *p != metav1.DeletePropagationForeground && *p != metav1.DeletePropagationOrphan {
		return opts, apierrors.NewBadRequest(fmt.Sprintf("propagationPolicy: Unsupported value: %q", *p))
	}
	return opts, nil
}

// isHeldBack reports whether a deleted object stays for a while: no kubelet ends a pod
// on a node here, so the test removes it.
func (s *Server) isHeldBack(t Type, o object, opts metav1.DeleteOptions) bool {
	switch t.GroupResource() {
	case "pods":
		atOnce := opts.GracePeriodSeconds != nil && *opts.GracePeriodSeconds == 0
		return len(finalizersOf(o)) > 0 || textAt(o, "spec", "nodeName") != "" && !atOnce
	case "namespaces":
		return len(finalizersOf(o)) > 0 || s.holdsAny(metaText(o, "name"))
	}
	return len(finalizersOf(o)) > 0
}

// emptyNamespace deletes what a namespace holds; what has finalizers stays.
func (s *Server) emptyNamespace(namespace string) {
	for key, o := range s.objects {
		switch {
		case key.namespace != namespace:
		case len(finalizersOf(o)) == 0:
			delete(s.objects, key)
		case isEmpty(metaOf(o)["deletionTimestamp"]):
			metaOf(o)["deletionTimestamp"] = currentTime()
			s.saveObject(key, o)
		}
	}
}
