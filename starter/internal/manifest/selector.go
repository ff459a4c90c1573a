package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// ParseSelector reads a label selector as kubectl does: a=b, a==b, a!=b, a in (b,c),
// a notin (b,c), a, !a, joined by commas.
func ParseSelector(text string) (*metav1.LabelSelector, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the selector is empty: write app=web or leave it out")
	}
	parsed, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w; write selectors like app=web,tier!=cache or 'env in (a,b)'", err)
	}
	requirements, _ := parsed.Requirements()
	out := &metav1.LabelSelector{}
	for _, r := range requirements {
		if err := addRequirement(out, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func addRequirement(to *metav1.LabelSelector, r labels.Requirement) error {
	values := r.ValuesUnsorted()
	slices.Sort(values)
	one := metav1.LabelSelectorRequirement{Key: r.Key(), Values: values}
	switch r.Operator() {
	case selection.Equals, selection.DoubleEquals:
		if before, ok := to.MatchLabels[r.Key()]; ok && before != values[0] {
			return fmt.Errorf("the selector wants %s to be both %q and %q: nothing matches that", r.Key(), before, values[0])
		}
		if to.MatchLabels == nil {
			to.MatchLabels = map[string]string{}
		}
		to.MatchLabels[r.Key()] = values[0]
		return nil
	case selection.In:
		one.Operator = metav1.LabelSelectorOpIn
	case selection.NotIn, selection.NotEquals:
		one.Operator = metav1.LabelSelectorOpNotIn
	case selection.Exists:
		one.Operator = metav1.LabelSelectorOpExists
	case selection.DoesNotExist:
		one.Operator = metav1.LabelSelectorOpDoesNotExist
	default:
		return fmt.Errorf("the operator %s of %s has no place in a Velero spec: use =, !=, in, notin or existence", r.Operator(), r.Key())
	}
	to.MatchExpressions = append(to.MatchExpressions, one)
	return nil
}
