package volume

func After(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
