package gemini

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramdoc"
)

func TestParametersAreDocumented(t *testing.T) {
	paramdoc.Check(t, "../../docs/cloud-fallback.md", defaults())
}
