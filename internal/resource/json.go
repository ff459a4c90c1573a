package resource

// Same compares decoded JSON: a null is as good as a missing field, and numbers are
// compared by value.
func Same(a, b any) bool { return sameJSON(a, b) }
