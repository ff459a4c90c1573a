// Package jsonlist cuts a Kubernetes list response into its items while it is
// being received, without decoding any of them.
//
// A decoded page of objects costs ten times its size in maps and strings, and a
// backup only wants the bytes. So the response is validated and cut in one
// pass, and the few fields that every reader of a list needs (who the object
// is, its labels, whether it is being deleted) are noted on the way as slices
// of the same bytes. Memory is one item and one read buffer, whatever the page.
//
// The scanner accepts what encoding/json accepts, in any key order and with
// any white space, except that it refuses a list with two "items" arrays, items
// that are not objects, and identity fields that are not strings.
package jsonlist
