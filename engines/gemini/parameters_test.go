package gemini

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
)

func TestParametersAreDocumented(t *testing.T) {
	paramtest.Documented(t, "../../docs/cloud-fallback.md", defaults())
}
