// Package page renders the evidence of a drill as one HTML page, out of the bytes of its file
// and nothing else. The page loads nothing, runs no script, says so in its own
// Content-Security-Policy, and carries the file, so that a reader can check it. `make release-check`
// looks at it in Debian's chromium, and leaves pictures and prints in dist/page.
package page
