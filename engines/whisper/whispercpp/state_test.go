package whispercpp

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
)

// TestParamsHaveEveryOption checks that each option changes what whisper.cpp gets.
func TestParamsHaveEveryOption(t *testing.T) {
	// whisper.cpp's default parameters do not depend on the model.
	s := &State{model: &Model{}}
	// beam_size has an effect only above 1.
	paramtest.PassedOn(t, Options{BeamSize: 2, BestOf: 2}, func(o Options) any {
		params, free := s.params(o)
		t.Cleanup(free)
		return params
	}, nil)
}
