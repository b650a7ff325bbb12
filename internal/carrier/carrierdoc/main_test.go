package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page shows the tables as they are.
func TestThePageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../../docs/carriers.md")
	require.NoError(t, err)
	want, err := written(page, "..")
	require.NoError(t, err)
	require.Equal(t, string(want), string(page), "run go generate ./internal/carrier/carrierdoc")
	for _, code := range []string{"`POSTOMAT_POSTED`", "`in_transit/arrived_at_destination`", "`cancelled_by_taxi`"} {
		require.Contains(t, string(page), code)
	}
	_, err = written([]byte("# A page"), "..")
	require.Error(t, err)
}
