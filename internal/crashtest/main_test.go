package crashtest

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	RunIfChild(nil)
	goleak.VerifyTestMain(m)
}
