package archive

// Pending is how many compressed bytes of whole members wait to be handed out.
func (w *Writer) Pending() int64 { return int64(len(w.data)) }
