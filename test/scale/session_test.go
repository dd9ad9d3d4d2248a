package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

const (
	sessions = 12 // through each proxy
	numbers  = 60 // that each of them hears
)

// spoken returns the audio of the numbers, in pieces, and its text; see
// engines/fault/numbers.go.
func spoken() (pieces [][]byte, text string) {
	var words []string
	for n := range numbers {
		var pcm []byte
		for range 1600 {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(n+1)) //nolint:gosec // small
		}
		pieces, words = append(pieces, pcm), append(words, fmt.Sprint(n+1))
	}
	return pieces, strings.Join(words, " ")
}

// Transcriptions whose gateway is killed go on at another one: no word is lost, and none
// comes twice.
func testSessions(t *testing.T, f *fleet) {
	victim := f.gateways[2]
	var talking, half sync.WaitGroup
	killed := make(chan struct{})
	pieces, want := spoken()
	talk := func(p *proxy) error {
		begun := sync.OnceFunc(half.Done)
		defer begun()
		ctx, cancel := context.WithTimeout(t.Context(), calls.Patience)
		defer cancel()
		client, err := modelgateway.New(p.address + ":8080")
		if err != nil {
			return err
		}
		defer func() { _ = client.Close() }()
		session, err := client.OpenSession(ctx, &gatewayv1.TranscriptionConfig{Model: "numbers", Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000}})
		if err != nil {
			return err
		}
		defer session.Close()
		push := func(pieces [][]byte) error {
			for _, piece := range pieces {
				if err := session.Push(ctx, piece); err != nil {
					return fmt.Errorf("push: %w", err)
				}
			}
			return nil
		}
		if err := push(pieces[:numbers/2]); err != nil {
			return err
		}
		for event, err := range session.Events() {
			if err != nil {
				return err
			}
			if event.GetSegment() != nil { // final, so the client does not have its audio any more
				break
			}
		}
		begun()
		<-killed
		if err := push(pieces[numbers/2:]); err != nil {
			return err
		}
		if err := session.Finish(ctx); err != nil {
			return fmt.Errorf("finish: %w", err)
		}
		for _, err := range session.Events() {
			if err != nil {
				return err
			}
		}
		if got := session.Transcript().GetText(); got != want {
			return fmt.Errorf("heard %q, want %q", got, want)
		}
		return nil
	}
	half.Add(sessions * len(f.proxies))
	for _, p := range f.proxies {
		for range sessions {
			talking.Go(func() {
				if err := talk(p); err != nil {
					t.Errorf("through %s: %v", p.name, err)
				}
			})
		}
	}
	half.Wait()
	there := victim.metric("modelgateway_requests_active", "numbers")
	victim.kill()
	began := time.Now()
	close(killed)
	talking.Wait()
	t.Logf("%d of %d transcriptions were at the gateway that was killed; all have ended %v later",
		there, sessions*len(f.proxies), time.Since(began).Round(time.Millisecond))
	if there == 0 {
		t.Error("no transcription was at the gateway that was killed")
	}
	if err := victim.start(); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitUse(victim); err != nil {
		t.Fatal(err)
	}
}
