package settings

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
)

func TestParametersAreDocumented(t *testing.T) {
	paramtest.Documented(t, "../../../docs/text-to-speech.md", Defaults())
}
