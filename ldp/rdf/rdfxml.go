// SPDX-License-Identifier: EUPL-1.2

package rdf

import (
	"context"
	"errors"
)

func readRDFXML(ctx context.Context, body []byte, base string, lim Limits) (*Dataset, error) {
	return nil, errors.New("todo")
}
