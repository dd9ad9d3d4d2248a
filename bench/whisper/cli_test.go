package main

import (
	"testing"
	"time"
)

func TestComputed(t *testing.T) {
	got, err := computed(`output_json: saving output to 'out.json'

whisper_print_timings:     load time =    78.75 ms
whisper_print_timings:   encode time =  1538.81 ms /     1 runs ( 1538.81 ms per run)
whisper_print_timings:    total time =  2578.75 ms
`)
	if err != nil || got != 2500*time.Millisecond {
		t.Errorf("%v, %v; want 2.5s", got, err)
	}
	if got, err := computed("whisper_print_timings: total time = 5 ms\n"); err == nil {
		t.Errorf("%v without a load time; want an error", got)
	}
}
