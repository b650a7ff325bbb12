package httpserver

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every operation says what it is, and operations.yaml tells of nothing else.
func TestOperationsHaveTexts(t *testing.T) {
	var ids []string
	for _, op := range open(t).srv.everyOperation() {
		require.NotEmpty(t, op.Summary, op.OperationID)
		ids = append(ids, op.OperationID)
	}
	for id, text := range operationTexts() {
		require.True(t, slices.Contains(ids, id), "there is no operation %s", id)
		require.NotEmpty(t, text.Summary, id)
	}
}
