// Package schemas embeds the JSON schemas of documents that Lifeboat writes for others.
package schemas

import _ "embed" // for the schemas

// RestoreDrill is the schema of the payload of a drill's evidence, version 1.
//
//go:embed restore-drill-v1.json
var RestoreDrill []byte

// Drill is the schema of the document of a restore drill (kind Drill), version 1.
//
//go:embed drill-v1.json
var Drill []byte
