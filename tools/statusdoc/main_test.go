package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestDocumentIsCurrent(t *testing.T) {
	committed, err := os.ReadFile("../../docs/status.md")
	require.NoError(t, err)
	// A checkout on Windows may have other line ends.
	require.Equal(t, document(), strings.ReplaceAll(string(committed), "\r\n", "\n"), "run go generate ./...")
}

func TestEveryStatusIsExplained(t *testing.T) {
	require.Len(t, meanings, len(domain.Statuses()))
	for _, s := range domain.Statuses() {
		require.NotEmpty(t, meanings[s], s)
	}
}
