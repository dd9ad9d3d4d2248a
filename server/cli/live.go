package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-runewidth"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// live transcribes standard input as it arrives. The first Ctrl-C ends the speech,
// the second one the command.
func (c transcribeCommand) live(ctx context.Context, g *globals, con *console) error {
	audio, _, err := openRecording(standardInput, con)
	if err != nil {
		return err
	}
	client, err := g.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	call, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	go func() {
		select {
		case <-signals: // ctx ends with the same signal
		case <-call.Done():
			return
		}
		defer printLater(con, "finishing; press Ctrl-C again to abort")()
		select {
		case <-signals:
			cancel(context.Canceled)
		case <-call.Done():
		}
	}()
	waiting := startStatus(call, client, con, g.JSON)
	defer waiting.stop()
	stream, err := client.StreamTranscribe(call)
	if err == nil {
		err = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: c.config(con.errTTY || g.JSON)}})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err // for io.EOF, Recv returns the reason
	}
	go func() {
		if err := sendAudio(ctx, stream, audio); err != nil {
			cancel(err)
			return
		}
		if g.Timeout > 0 {
			timer := time.AfterFunc(g.Timeout, func() { cancel(context.DeadlineExceeded) })
			context.AfterFunc(call, func() { timer.Stop() })
		}
	}()
	err = c.printEvents(stream, waiting, g, con)
	if cause := context.Cause(call); err != nil && cause != nil {
		err = statusOf(cause)
	}
	return err
}

// printLater prints a text on a terminal after a moment, unless it is stopped
// before.
func printLater(con *console, text string) (stop func()) {
	if !con.errTTY {
		return func() {}
	}
	timer := time.AfterFunc(statusDelay, func() { fmt.Fprintf(con.err, "\r\x1b[K%s\n", con.paint(true, dim)("("+text+")")) })
	return func() { timer.Stop() }
}

// statusOf returns the cause of a cancelled call in the form that explain expects.
func statusOf(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return status.FromContextError(cause).Err()
	}
	return cause
}

// sendAudio sends audio as it arrives, until it ends or ctx does.
func sendAudio(ctx context.Context, stream gatewayv1.ModelGatewayService_StreamTranscribeClient, audio io.Reader) error {
	pieces := make(chan []byte)
	failed := make(chan error, 1)
	go func() { // a read of standard input cannot be interrupted: this may outlive the call
		for {
			buf := make([]byte, chunkBytes)
			n, err := audio.Read(buf)
			if n > 0 {
				select {
				case pieces <- buf[:n]:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	for {
		select {
		case piece := <-pieces:
			msg := &gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}}
			if err := stream.Send(msg); err != nil {
				return nil // Recv returns the reason
			}
		case err := <-failed:
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("cannot read standard input: %w", err)
			}
			return stream.CloseSend()
		case <-ctx.Done():
			return stream.CloseSend()
		}
	}
}

// printEvents prints the transcript until the stream ends.
func (c transcribeCommand) printEvents(stream gatewayv1.ModelGatewayService_StreamTranscribeClient, waiting *statusLine, g *globals, con *console) error {
	line := interimLine{con: con}
	printed := false
	for {
		event, err := stream.Recv()
		waiting.stop()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && g.JSON {
			err = writeJSONLine(con.out, event)
		}
		if err != nil {
			line.clear()
			return err
		}
		if g.JSON {
			continue
		}
		switch e := event.GetEvent().GetEvent().(type) {
		case *gatewayv1.TranscriptionEvent_Interim:
			line.show(e.Interim)
		case *gatewayv1.TranscriptionEvent_Segment:
			line.clear()
			printed = true
			if err := writeSegment(con, e.Segment); err != nil {
				return err
			}
		case *gatewayv1.TranscriptionEvent_Final:
			line.clear()
			if text := strings.TrimSpace(e.Final.GetText()); !printed && text != "" {
				fmt.Fprintln(con.out, con.printable(text))
			}
			printUncertain(con, e.Final)
		}
		if event.GetServedBy() != nil {
			c.printServed(con, event.GetServedBy(), nil)
		}
	}
}

// interimLine shows the interim transcript on one line of a terminal.
type interimLine struct {
	con   *console
	drawn bool
}

// show draws the end of the text, as much as fits on the line: the tentative part
// is dimmed.
func (l *interimLine) show(i *gatewayv1.InterimTranscript) {
	if !l.con.errTTY {
		return
	}
	clean := func(text string) string {
		return (&console{outTTY: true}).printable(strings.NewReplacer("\n", " ", "\t", " ").Replace(text))
	}
	committed, tentative := clean(i.GetCommittedText()), clean(i.GetTentativeText())
	room := terminalWidth(os.Stderr) - 1
	tentative = tail(tentative, room)
	committed = tail(committed, room-runewidth.StringWidth(tentative))
	fmt.Fprintf(l.con.err, "\r\x1b[K%s%s", committed, l.con.paint(true, dim)(tentative))
	l.drawn = true
}

func (l *interimLine) clear() {
	if l.drawn {
		fmt.Fprint(l.con.err, "\r\x1b[K")
		l.drawn = false
	}
}

// tail returns the end of a text that is wider than width, and the whole text
// otherwise.
func tail(text string, width int) string {
	over := runewidth.StringWidth(text) - width
	if over <= 0 {
		return text
	}
	if width <= 1 {
		return ""
	}
	return runewidth.TruncateLeft(text, over+1, "…")
}
