package volume

const (
	// createWindow is how many CreateSnapshot calls of one unit are under way; the
	// account's limiter has the last word.
	CreateWindow = 16
)
