package whisper

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

func TestMaxDecodersIsWhispercpps(t *testing.T) {
	if settings.MaxDecoders != whispercpp.MaxDecoders {
		t.Errorf("settings has %d, whisper.cpp %d", settings.MaxDecoders, whispercpp.MaxDecoders)
	}
}
