package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// One cause is one reason, with how many objects it met; what is about its object stays.
func TestGroup(t *testing.T) {
	var all []Reason
	for i := range 40 {
		gr, name, ns := []string{"configmaps", "secrets"}[i%2], fmt.Sprint("o", 10+i), []string{"a", "b", "c", "d"}[i%4]
		all = append(all,
			New(Forbidden, fmt.Sprintf(`%s is forbidden: User "w" cannot create resource %q in API group "" in the namespace %q`, gr, gr, ns)).At(gr, ns, name),
			New(NamespaceNotReady, `namespace gone is being deleted: finalizers [x]`).At(gr, "gone", name),
			New(QuotaExceeded, fmt.Sprintf(`pods %q is forbidden: exceeded quota: q, requested: pods=1`, name)).At("pods", "full", name),
			New(ExistsDiffers, "exists and differs").At(gr, ns, name),
		)
	}
	for i := range groupExamples {
		all = append(all, New(WebhookDenied, "no").At("pods", "few", fmt.Sprint("p", i)))
	}
	all = append(all, New(FieldIgnored, "one of the run"))
	want := map[Code]string{
		Forbidden:         `[FORBIDDEN] 40 times (configmaps a/o10, configmaps a/o14, configmaps a/o18, configmaps a/o22, configmaps a/o26, …): configmaps is forbidden`,
		NamespaceNotReady: `[NAMESPACE_NOT_READY] namespace gone: 40 times (configmaps gone/o10,`,
		QuotaExceeded:     `[QUOTA_EXCEEDED] pods in namespace full: 40 times (pods full/o10,`,
	}
	for range 3 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		before := slices.Clone(all)
		got := Group(all)
		if !slices.Equal(all, before) {
			t.Fatal("the argument was changed")
		}
		byCode := map[Code][]string{}
		for _, r := range got {
			byCode[r.Code] = append(byCode[r.Code], r.String())
		}
		for code, line := range want {
			if len(byCode[code]) != 1 || !strings.HasPrefix(byCode[code][0], line) {
				t.Errorf("%s: %q", code, byCode[code])
			}
		}
		if len(byCode[ExistsDiffers]) != 40 || len(byCode[WebhookDenied]) != groupExamples || len(byCode[FieldIgnored]) != 1 || !slices.IsSortedFunc(got, compareReasons) {
			t.Errorf("%d reasons: %q", len(got), got)
		}
	}
}
