// Package modify changes objects on their way back into a cluster by the rules of a
// resource modifier ConfigMap (docs/VELERO.md 7.7). It is pure: Text takes the rules out of
// the ConfigMap, Parse reads and checks them, Apply changes one object.
//
// A rule has conditions and one kind of patch:
//   - groupResource, a glob over plural.group whose '*' does not go beyond a dot: '*' is
//     the core group, '*.apps' one group, '**' everything;
//   - namespaces, globs over the namespace in the backup. They say nothing about
//     cluster-scoped objects, which such a rule therefore matches;
//   - resourceNameRegex, labelSelector, and matches, each a JSON pointer and the value
//     that has to be there;
//   - patches (RFC 6902), mergePatches (RFC 7386) or strategicPatches, the latter for the
//     types of Kubernetes itself only.
//
// Conditions look at the object as it was before any rule, with what the restore's own rules
// drop from it (its status, finalizers, cluster IPs); all rules that match are applied in
// their order. A rule that fails changes nothing: the object is restored
// without it, and the failure is told. A test among patches that does not hold is no
// failure, the rule has no effect then. To remove what was dropped is done, to replace it
// adds it, and it can be moved, copied and tested.
//
// Patches are applied by github.com/evanphx/json-patch, tests and conditions are not: it
// compares numbers as they are written and panics at lists that hold null. A patch is
// applied one operation at a time, so that the message of a failure can name it.
//
// Where Velero leaves things to chance the package deliberately differs:
//   - what can be known to be wrong without an object (a glob, an expression, a selector,
//     a patch that is no YAML) is refused before the restore begins;
//   - a value that looks like a number, true or false but is no JSON (007, True) is a
//     text; Velero fails at it;
//   - a pointer of matches into a list that is too short does not match; Velero fails;
//   - apiVersion, kind, name and namespace stay as they are: a rule that would change
//     them fails. Velero takes some and drops others in silence;
//   - Namespaces are modified like any other object, also those that are made for the
//     objects in them; Velero leaves them out;
//   - conditions see the status and what else the restore drops; Velero drops it before;
//   - a rule that met no object of the restore is told.
package modify
