// Package glob has the two dialects of patterns that Velero's users write. They are not
// interchangeable: what is a pattern in one is a plain name, or refused, in the other.
//
// Filters, the includes and excludes of specs, are matched by MatchFilter:
//   - '*' is any run of characters, '?' any one, '[abc]' and '[a-z]' are classes;
//   - there is no escape, no negation, no alternative and no '**';
//   - no character of a name is special, '.' and '/' are as good as letters.
//
// Modifiers, the conditions of resource modifier rules, are compiled by CompileModifier:
//   - '*' and '?' do not match the separator, which is '.' in plural.group and none in
//     namespaces; '**' matches it too;
//   - '[ab]', '[a-z]' and '[!a]' are classes, '{a,b}' alternatives, and a backslash takes
//     what follows as it is.
//
// The time to match is bounded by the product of the lengths of pattern and name.
package glob
