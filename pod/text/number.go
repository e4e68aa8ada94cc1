// SPDX-License-Identifier: EUPL-1.2

package text

// HasNumber reports whether text has a run of digits that could be a
// Swedish personal or coordination number (10 or 12 digits, Luhn) or a Norwegian
// birth or D-number (11 digits, two check digits). Such numbers have no place in
// what a party sends; it errs on the side of refusing.
func HasNumber(text string) bool {
	digits := make([]byte, 0, 12)
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && '0' <= text[i] && text[i] <= '9':
			digits = append(digits, text[i]-'0')
		case i < len(text) && (text[i] == '-' || text[i] == '+' || text[i] == ' ') && (len(digits) == 6 || len(digits) == 8):
		default:
			if nationalNumber(digits) {
				return true
			}
			digits = digits[:0]
		}
	}
	return false
}

func nationalNumber(d []byte) bool {
	switch len(d) {
	case 12:
		century := d[0]*10 + d[1]
		return (century == 18 || century == 19 || century == 20) && swedish(d[2:])
	case 11:
		return norwegian(d)
	case 10:
		return swedish(d)
	}
	return false
}

// swedish checks YYMMDDNNNC, where 60 is added to the day of a coordination
// number.
func swedish(d []byte) bool {
	month, dayOfMonth := d[2]*10+d[3], d[4]*10+d[5]
	if dayOfMonth > 60 {
		dayOfMonth -= 60
	}
	sum := byte(0)
	for i, x := range d {
		if i%2 == 0 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return dateOf(month, dayOfMonth) && sum%10 == 0
}

// norwegian checks DDMMYYIIICC, where 40 is added to the day of a D-number, and
// 40 or 80 to the month of a synthetic person's number.
func norwegian(d []byte) bool {
	dayOfMonth, month := d[0]*10+d[1], d[2]*10+d[3]
	if dayOfMonth > 40 {
		dayOfMonth -= 40
	}
	month %= 40
	return dateOf(month, dayOfMonth) &&
		weighed(d, []int{3, 7, 6, 1, 8, 9, 4, 5, 2, 1}) && weighed(d, []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1})
}

func weighed(d []byte, weights []int) bool {
	sum := 0
	for i, w := range weights {
		sum += w * int(d[i])
	}
	return sum%11 == 0
}

func dateOf(month, dayOfMonth byte) bool {
	return 1 <= month && month <= 12 && 1 <= dayOfMonth && dayOfMonth <= 31
}
