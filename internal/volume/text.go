package volume

// After is why, set off by a colon, or nothing.
func After(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
