package jsonlist

// number skips the number that begins at i. A number that ends with the
// buffer is errMore: a further digit may follow.
func (s scanner) number(i int) (int, error) {
	if s.b[i] == '-' {
		i++
	}
	i, err := s.integer(i)
	if err != nil {
		return i, err
	}
	if s.b[i] == '.' {
		if i, err = s.digits(i + 1); err != nil {
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
	return s.digits(i)
}

// integer skips the part before the point: 0, or digits without a leading 0.
func (s scanner) integer(i int) (int, error) {
	if i < len(s.b) && s.b[i] == '0' {
		i++
		if i >= len(s.b) {
			return i, errMore
		}
		return i, nil
	}
	return s.digits(i)
}

// digits skips one digit or more; it never stands at the end of the buffer.
func (s scanner) digits(i int) (int, error) {
	from := i
	for i < len(s.b) && s.b[i] >= '0' && s.b[i] <= '9' {
		i++
	}
	if i >= len(s.b) {
		return i, errMore
	}
	if i == from {
		return syntax("expected a digit", i)
	}
	return i, nil
}
