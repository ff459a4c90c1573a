package jsonlist

// skipNumber skips the number that begins at i. A number that ends with the
// buffer is errMore: a further digit may follow.
func (s scanner) skipNumber(i int) (int, error) {
	if s.b[i] == '-' {
		i++
	}
	i, err := s.skipInteger(i)
	if err != nil {
		return i, err
	}
	if s.b[i] == '.' {
		if i, err = s.skipDigits(i + 1); err != nil {
			return i, err
		}
	}
	if c := s.b[i]; c != 'e' && c != 'E' {
		return i, nil
	}
	i++
	if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
		i++
	}
	return s.skipDigits(i)
}

// skipInteger skips the part before the point: 0, or digits without a leading 0.
func (s scanner) skipInteger(i int) (int, error) {
	if i < len(s.b) && s.b[i] == '0' {
		i++
		if i >= len(s.b) {
			return i, errMore
		}
		return i, nil
	}
	return s.skipDigits(i)
}

// skipDigits skips one digit or more; it never stands at the end of the buffer.
func (s scanner) skipDigits(i int) (int, error) {
	from := i
	for i < len(s.b) && s.b[i] >= '0' && s.b[i] <= '9' {
		i++
	}
	if i >= len(s.b) {
		return i, errMore
	}
	if i == from {
		return syntaxError("expected a digit", i)
	}
	return i, nil
}
