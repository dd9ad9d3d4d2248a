package speech_test

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

func TestSocketsEndAtShutdown(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		r := start(t, servertest.SpeechModels)
		waiting, idle := dial(t, r, micPath), dial(t, r, speakPath)
		ended := make(chan struct{})
		go func() { r.End(t); close(ended) }()
		waiting.fails(errs.Draining, websocket.CloseGoingAway, "shutting down")
		idle.fails(errs.Draining, websocket.CloseGoingAway, "shutting down")
		<-ended
	})
	t.Run("working", func(t *testing.T) {
		r := start(t, strings.Replace(servertest.SpeechModels, "drain_timeout: 10s", "drain_timeout: 1s", 1))
		done, open := dial(t, r, micPath+"?interim_results=true"), dial(t, r, micPath+"?interim_results=true")
		for _, c := range []*client{done, open} {
			c.audio(10)
			c.next()
		}
		ended := make(chan struct{})
		go func() { r.End(t); close(ended) }()
		servertest.Eventually(t, r.Draining)
		// A transcription under way may finish.
		done.text(`{"end":true}`)
		if e, _ := done.next(); e.Event.Final == nil || e.Event.Final.Text != "10 bytes" {
			t.Errorf("%+v", e)
		}
		open.fails(errs.Draining, websocket.CloseGoingAway, "")
		<-ended
	})
	t.Run("idle ones before working ones", func(t *testing.T) {
		r := start(t, strings.Replace(servertest.SpeechModels, "drain_timeout: 10s", "drain_timeout: 2m", 1))
		work := dial(t, r, micPath+"?interim_results=true")
		work.audio(10)
		work.next()
		spoken := dial(t, r, speakPath)
		spoken.text(`{"text":"one"}`)
		for e := (event{}); e.ServedBy == nil; {
			e, _ = spoken.next()
		}
		idle := []*client{dial(t, r, micPath), dial(t, r, micPath+"?language=en"), dial(t, r, speakPath), spoken}
		ended := make(chan struct{})
		go func() { r.End(t); close(ended) }()
		for _, c := range idle {
			c.fails(errs.Draining, websocket.CloseGoingAway, "shutting down")
		}
		// They ended although work is under way.
		work.text(`{"end":true}`)
		if e, _ := work.next(); e.Event.Final == nil || e.Event.Final.Text != "10 bytes" {
			t.Errorf("%+v", e)
		}
		if code, _ := work.closed(); code != websocket.CloseNormalClosure {
			t.Errorf("closed with %d", code)
		}
		<-ended
	})
	t.Run("a client that does not answer", func(t *testing.T) {
		r := start(t, servertest.SpeechModels)
		dial(t, r, micPath) // never reads, so never answers the close
		r.End(t)
	})
}
