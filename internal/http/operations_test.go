package httpserver

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/order-tracking/order-tracking/internal/transport"
)

// Every operation says what it is, and operations.yaml tells of nothing else, in known words.
func TestOperationsAreDescribed(t *testing.T) {
	var ids []string
	for _, op := range open(t).srv.everyOperation() {
		require.NotEmpty(t, op.Summary, op.OperationID)
		ids = append(ids, op.OperationID)
	}
	for id, op := range operations() {
		require.True(t, slices.Contains(ids, id), "there is no operation %s", id)
		require.NotEmpty(t, op.Summary, id)
		require.Subset(t, transport.Codes(), op.Errors, id)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(operationsFile))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&map[string]*operation{}))
}
