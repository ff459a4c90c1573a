package timing

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// explainCron says in the words of who writes a cron string what the library has found: that tells of
// options of its parser, and of functions that read numbers.
func explainCron(expression string, err error) error {
	text := err.Error()
	word := quotedIn(text)
	switch {
	case strings.Contains(text, "option") || isExtendedDay(word):
		return errors.New("L, W, # and H are of other programs, as extended or hash syntax, and Velero does not read them either: write numbers, names such as SUN, and * / - ,")
	case strings.Contains(text, "failed to parse int") && word == "":
		return errors.New("a number is missing before or after a hyphen, slash or comma")
	case strings.Contains(text, "failed to parse int"):
		return fmt.Errorf("%q is neither a number nor the name of a month or weekday", word)
	case strings.Contains(text, "failed to parse duration"):
		_, cause, _ := strings.Cut(text, "time: ")
		return fmt.Errorf("%s: write 24h for a day, 90m or 10m30s", cause)
	case strings.Contains(text, "unrecognized descriptor"):
		return fmt.Errorf("unrecognized descriptor %s: there are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, and @every with a step such as 6h", expression)
	case strings.Contains(text, "empty spec"):
		return errors.New("is empty: write five fields, such as \"0 2 * * *\", or @daily")
	}
	return err
}

// isExtendedDay tells a last weekday, such as 5L, which the library takes for a wrong number.
func isExtendedDay(word string) bool {
	return regexp.MustCompile(`^(\d|[A-Za-z]{3})L$`).MatchString(word)
}

// quotedIn is what stands between the first quotation marks of a text.
func quotedIn(text string) string {
	_, rest, _ := strings.Cut(text, `"`)
	word, _, _ := strings.Cut(rest, `"`)
	return word
}
