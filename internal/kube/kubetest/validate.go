package kubetest

import (
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	sigsjson "sigs.k8s.io/json"
)

// decodeBody reads the object of a request and refuses what its Go type does not
// know. Of types without a Go type only the metadata is known.
func (s *Server) decodeBody(t Type, q Request) (object, error) {
	var o object
	if err := json.Unmarshal(q.Body, &o); err != nil || o == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the body is no object: %v", err))
	}
	o = decodeObject(s.tb.Error, q.Body)
	if o["apiVersion"] != t.APIVersion() || o["kind"] != t.Kind {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the body is a %v of %v, not a %s of %s", o["kind"], o["apiVersion"], t.Kind, t.APIVersion()))
	}
	if err := s.checkFields(t, q.Body, o); err != nil {
		return nil, err
	}
	switch ns := metaText(o, "namespace"); {
	case ns == "" && t.Namespaced:
		metaOf(o)["namespace"] = q.Namespace
	case ns != q.Namespace:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the namespace of the object (%s) does not match that of the request (%s)", ns, q.Namespace))
	}
	return o, nil
}

func (s *Server) checkFields(t Type, body []byte, o object) error {
	meta, err := json.Marshal(metaOf(o))
	if err != nil {
		return err
	}
	if err := decodeStrictly(meta, &metav1.ObjectMeta{}); err != nil {
		return apierrors.NewBadRequest("metadata: " + err.Error())
	}
	typed, err := s.scheme.New(schema.GroupVersionKind{Group: t.Group, Version: t.Version, Kind: t.Kind})
	if err != nil {
		return nil //nolint:nilerr // a type without a Go type
	}
	if err := decodeStrictly(body, typed); err != nil {
		return apierrors.NewBadRequest(t.Kind + " in version " + t.Version + " cannot be handled: " + err.Error())
	}
	return nil
}

func decodeStrictly(raw []byte, into any) error {
	unknown, err := sigsjson.UnmarshalStrict(raw, into)
	if err != nil {
		return err
	}
	var words []string
	for _, u := range unknown {
		words = append(words, u.Error())
	}
	if len(words) > 0 {
		return fmt.Errorf("strict decoding error: %s", strings.Join(words, ", "))
	}
	return nil
}

// validateObject checks names, labels, owners and the like as API servers do.
func (s *Server) validateObject(t Type, o object) error {
	meta := convertObject[metav1.ObjectMeta](s, metaOf(o))
	errs := validation.ValidateObjectMeta(&meta, t.Namespaced, nameRule(t), field.NewPath("metadata"))
	if len(errs) > 0 {
		return apierrors.NewInvalid(t.groupKind(), meta.Name, errs)
	}
	return nil
}

// validateChange checks what must not change as well.
func (s *Server) validateChange(t Type, o, before object) error {
	if err := s.validateObject(t, o); err != nil {
		return err
	}
	is, was := convertObject[metav1.ObjectMeta](s, metaOf(o)), convertObject[metav1.ObjectMeta](s, metaOf(before))
	errs := validation.ValidateObjectMetaUpdate(&is, &was, field.NewPath("metadata"))
	if len(errs) > 0 {
		return apierrors.NewInvalid(t.groupKind(), was.Name, errs)
	}
	return nil
}

func nameRule(t Type) validation.ValidateNameFunc {
	switch {
	case t.Group == "rbac.authorization.k8s.io":
		return validatePathSegment
	case t.GroupResource() == "namespaces":
		return validation.ValidateNamespaceName
	case t.GroupResource() == "services":
		return validation.NameIsDNS1035Label
	}
	return validation.NameIsDNSSubdomain
}

// validatePathSegment is the rule of names that stand in a path: no slash, no percent
// sign, and neither of the two names that lead elsewhere.
func validatePathSegment(name string, prefix bool) []string {
	switch {
	case strings.ContainsAny(name, "/%"):
		return []string{"may not contain '/' or '%'"}
	case !prefix && (name == "." || name == ".."):
		return []string{"may not be '.' or '..'"}
	}
	return nil
}
