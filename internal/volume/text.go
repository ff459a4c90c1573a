package volume

// After is a cause to be appended to what it led to; "" if none is known.
func After(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
