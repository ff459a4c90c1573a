// Package definition is the document of a restore drill (kind Drill): what is restored, what
// has to hold of it, how much it may cost and what it has to reach. The package is pure.
//
// A document carries no secret: what has to stay secret is named as a Secret. docs/schemas has
// its JSON schema, which is made of the types in document.go and assertion.go and their comments.
//
// Validate answers with every fault at once, each with the field and a remedy.
package definition
