package modify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// maxCopied bounds what the copies of one rule add to an object, in bytes: the API server
// takes no request of more than 3 MiB. Without it, copies of copies double an object with
// each line of a rule.
const maxCopied = 3 << 20

// errCopies says that copies come to more than that.
var errCopies = fmt.Errorf("the copies of this rule take more than %d bytes", maxCopied)

// errTest says that a test among the patches of a rule did not hold.
var errTest = errors.New("the test does not hold")

// operation is one of RFC 6902.
type operation struct {
	name, path string // the name in lower case
	steps      []string
	from       []string        // of a move or copy
	value      any             // of add, replace and test
	patch      jsonpatch.Patch // of this operation alone; of a test, none
}

// operations are the patches of one rule.
type operations []operation

// newOperation encodes an operation that changes the object, for the library to apply.
func newOperation(name, path, from string, value any) (jsonpatch.Patch, error) {
	text, err := json.Marshal([]map[string]any{{"op": name, "path": path, "from": from, "value": value}})
	if err != nil {
		return nil, fmt.Errorf("encode the patch: %w", err)
	}
	return jsonpatch.DecodePatch(text)
}

func (o operations) apply(obj, origin map[string]any) (map[string]any, error) {
	body, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("encode the object: %w", err)
	}
	left := int64(maxCopied)
	gone := dropped{obj, origin}
	for i := range o {
		if body, err = o[i].apply(body, gone, &left); err != nil {
			return nil, fmt.Errorf("patches[%d]: %s %s: %w", i, o[i].name, o[i].path, err)
		}
	}
	var out map[string]any
	return out, utiljson.Unmarshal(body, &out)
}

// dropped are the fields that an object has in the backup and that the rules of kinds have
// taken from it.
type dropped struct{ obj, origin map[string]any }

func (d dropped) field(steps []string) (value any, ok bool) {
	if _, err := lookUp(d.obj, steps); err == nil {
		return nil, false
	}
	value, err := lookUp(d.origin, steps)
	return value, err == nil
}

// apply returns the object after one operation. A copy takes what it adds from the bytes
// that are left to the copies of the rule.
func (o *operation) apply(body []byte, gone dropped, left *int64) ([]byte, error) {
	if o.name == "test" {
		return body, o.test(body, gone)
	}
	after, err := o.patchBody(o.patch, body, left)
	if !errors.Is(err, errMissing) {
		return after, err
	}
	value, ok := o.droppedValue(gone)
	switch {
	case !ok:
		return nil, err
	case o.name == "remove":
		return body, nil
	}
	add, err := newOperation("add", o.path, "", value)
	if err != nil {
		return nil, err
	}
	return o.patchBody(add, body, left)
}

// droppedValue is what to put at the path of an operation that asks for a dropped field.
func (o *operation) droppedValue(gone dropped) (value any, ok bool) {
	switch o.name {
	case "move", "copy":
		return gone.field(o.from)
	case "replace", "remove":
		_, ok = gone.field(o.steps)
	}
	return o.value, ok
}

// test looks at what is there, or was before the rules of kinds dropped it.
func (o *operation) test(body []byte, gone dropped) error {
	var obj map[string]any
	if err := utiljson.Unmarshal(body, &obj); err != nil {
		return err
	}
	if _, ok := gone.field(o.steps); ok {
		obj = gone.origin
	}
	return (&fieldTest{path: o.path, steps: o.steps, value: o.value}).check(obj)
}

func (o *operation) patchBody(patch jsonpatch.Patch, body []byte, left *int64) ([]byte, error) {
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = true // as in Velero
	options.AccumulatedCopySizeLimit = *left
	after, err := patch.ApplyWithOptions(body, options)
	if err != nil {
		return nil, explainPatchError(err)
	}
	if o.name == "copy" || o.name == "move" {
		grown := int64(max(0, len(after)-len(body)))
		if grown > *left {
			return nil, errCopies
		}
		*left = max(1, *left-grown) // the library takes 0 for no limit
	}
	return after, nil
}

// explainPatchError says in the words of the other rules what the library refuses.
func explainPatchError(err error) error {
	var tooMuch *jsonpatch.AccumulatedCopySizeError
	var noNumber *strconv.NumError
	switch {
	case errors.As(err, &tooMuch):
		return errCopies
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
	if !compare.Same(v, f.value) {
		return errTest
	}
	return nil
}
