// Package helm holds the chart: the files, which the CLI renders without Helm.
package helm

import (
	"embed"
	"io/fs"
)

//go:embed all:lifeboat
var files embed.FS //nolint:gochecknoglobals // the compiler can fill nothing else

// Chart is the folder of the chart.
func Chart() (fs.FS, error) { return fs.Sub(files, "lifeboat") }
