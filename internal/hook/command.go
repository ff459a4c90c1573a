package hook

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errEmptyList: a JSON list of no words names no program.
var errEmptyList = errors.New("is an empty list")

// parseCommand reads a command as annotations hold it: a JSON list of words, or
// the path of a program without arguments. As in Velero, text that begins like a
// list and is none is taken for a path; the error says so, and the command, which
// is then not to be found, fails as its hook's onError has it.
func parseCommand(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '[' {
		return []string{text}, nil
	}
	var words []string
	err := json.Unmarshal([]byte(text), &words)
	if err == nil && len(words) == 0 {
		err = errEmptyList
	}
	if err != nil {
		return []string{text}, isPlainWord(err)
	}
	return words, nil
}

// isPlainWord keeps words of the command, which may be secret, out of the error.
func isPlainWord(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("is not a JSON list (at byte %d)", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("is a JSON list that holds a %s: all words must be strings", kind.Value)
	}
	return err
}
