package domain

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnDutyOnly(t *testing.T) {
	require.True(t, CourierEdit{OnDuty: new(false)}.OnDutyOnly())
	for _, more := range []CourierEdit{{Name: new("X")}, {Capacity: new(1)}, {Metadata: map[string]string{"a": "b"}}, {Clear: []string{"phone"}}} {
		more.OnDuty = new(true)
		require.False(t, more.OnDutyOnly())
	}
}
