package sockettest

import (
	"testing"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
)

// TestMain fails if any test leaves a goroutine behind.
func TestMain(m *testing.M) { leaktest.Main(m) }
