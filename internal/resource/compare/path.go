package compare

import "strconv"

// JoinPath appends a key to a JSON path; a key that is not plain is quoted.
func JoinPath(path, key string) string {
	for i := range len(key) {
		if !plainChar(key[i]) {
			return path + "[" + strconv.Quote(key) + "]"
		}
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func plainChar(c byte) bool {
	return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
