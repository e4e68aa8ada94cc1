// SPDX-License-Identifier: EUPL-1.2

// Package consent is what parties ask of a person, and what she agrees to: a
// [Request], the [Offer] that she sees, her [Answer], and the [Consent] with its
// [Grant], by which a party reads. It reads and writes in a transaction that somebody
// else has begun and permitted, and who begins it logs it and tells the party.
package consent
