package catalog

import "encoding/json"

const (
	// bytesInAnswer bounds the rows of an answer, which Temporal takes up to 2 MB of.
	bytesInAnswer = 1 << 20
	// bytesInRow bounds one of them: a document in the bucket may have any labels.
	bytesInRow = 32 << 10
)

// sizeOf is the size of a value in an answer, in bytes.
func sizeOf(v any) int {
	data, err := json.Marshal(v)
	if err != nil {
		return bytesInAnswer
	}
	return len(data)
}

// countFitting is how many of the first rows an answer carries, one at least.
func countFitting[T any](rows []T) int {
	size := 0
	for i := range rows {
		if size += sizeOf(rows[i]); size > bytesInAnswer && i > 0 {
			return i
		}
	}
	return len(rows)
}

// cutRows keeps the first rows, and tells how many it leaves out.
func cutRows[T any](rows []T, most int) ([]T, int) {
	n := min(len(rows), most)
	n = countFitting(rows[:n])
	return rows[:n], len(rows) - n
}
