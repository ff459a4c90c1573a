// Package isolation has the rules by which a restored copy touches nothing outside: what of an
// object is changed before it is written, which objects are only tried by a dry run, which are
// left out, and the network policies around the copy. It is pure: objects are decoded JSON.
//
// Rules sees an object as it is about to be written: its namespace is that of the copy. It
// changes nothing that it does not name in the Decision. Also an object that is only tried is
// changed before, because a dry run reaches the API server and its webhooks.
//
// What no rule can do is in NotShown.
package isolation
