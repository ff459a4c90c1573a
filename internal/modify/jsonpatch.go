package modify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// maxCopied bounds what the copies of one rule add to an object, in bytes: the API server
// takes no request of more than 3 MiB. Without it, copies of copies double an object with
// each line of a rule.
const maxCopied = 3 << 20

// errTest says that a test among the patches of a rule did not hold.
var errTest = errors.New("the test does not hold")

// operation is one of RFC 6902.
type operation struct {
	name, path string // the name in lower case
	test       fieldTest
	patch      jsonpatch.Patch // of this operation alone; of a test, none
}

// operations are the patches of one rule.
type operations []operation

// newOperation encodes an operation that changes the object, for the library to apply.
func newOperation(name, path, from string, value any) (operation, error) {
	text, err := json.Marshal([]map[string]any{{"op": name, "path": path, "from": from, "value": value}})
	if err != nil {
		return operation{}, fmt.Errorf("encode the patch: %w", err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	return operation{name: name, path: path, patch: patch}, err
}

func (o operations) apply(obj map[string]any) (map[string]any, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode the object: %w", err)
	}
	left := int64(maxCopied)
	for i := range o {
		if body, err = o[i].apply(body, &left); err != nil {
			return nil, fmt.Errorf("patches[%d]: %s %s: %w", i, o[i].name, o[i].path, err)
		}
	}
	var out map[string]any
	return out, utiljson.Unmarshal(body, &out)
}

// apply returns the object after one operation. A copy takes what it adds from the bytes
// that are left to the copies of the rule.
func (o *operation) apply(body []byte, left *int64) ([]byte, error) {
	if o.name == "test" {
		var obj map[string]any
		if err := utiljson.Unmarshal(body, &obj); err != nil {
			return nil, err
		}
		return body, o.test.check(obj)
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = true // as in Velero
	options.AccumulatedCopySizeLimit = *left
	after, err := o.patch.ApplyWithOptions(body, options)
	if err != nil {
		return nil, explainPatchError(err)
	}
	if o.name == "copy" {
		*left = max(1, *left-int64(max(0, len(after)-len(body)))) // the library takes 0 for no limit
	}
	return after, nil
}

// explainPatchError says in the words of the other rules what the library refuses.
func explainPatchError(err error) error {
	var tooMuch *jsonpatch.AccumulatedCopySizeError
	var noNumber *strconv.NumError
	switch {
	case errors.As(err, &tooMuch):
		return fmt.Errorf("the copies of this rule take more than %d bytes", maxCopied)
	case errors.As(err, &noNumber):
		return fmt.Errorf("%q is no position in a list", noNumber.Num)
	case errors.Is(err, jsonpatch.ErrMissing), errors.Is(err, jsonpatch.ErrInvalidIndex):
		return errMissing
	}
	return err
}

// fieldTest says what the field at a path has to be.
type fieldTest struct {
	path  string
	steps []string // of the path
	value any
}

// check compares the field with the value; a field that is not there is as good as null.
func (f *fieldTest) check(obj map[string]any) error {
	last := len(f.steps) - 1
	parent, err := lookUp(obj, f.steps[:last])
	if err != nil {
		return err
	}
	v, err := childOf(parent, f.steps[last])
	if _, isMap := parent.(map[string]any); err != nil && !isMap {
		return err
	}
	if !resource.Same(v, f.value) {
		return errTest
	}
	return nil
}
