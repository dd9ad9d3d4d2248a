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

// live transcribes standard input while it comes. The first Ctrl-C is the end of
// the speech, the second that of the command.
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
		case <-signals: // ctx has this one too
		case <-call.Done():
			return
		}
		defer explainLater(con, "finishing; Ctrl-C again gives up")()
		select {
		case <-signals:
			cancel(context.Canceled)
		case <-call.Done():
		}
	}()
	wait := startWaiting(call, client, con, g.JSON)
	defer wait.stop()
	stream, err := client.StreamTranscribe(call)
	if err == nil {
		err = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: c.config(con.errTTY || g.JSON)}})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err // io.EOF: Recv tells why
	}
	go func() {
		if err := hear(ctx, stream, audio); err != nil {
			cancel(err)
			return
		}
		if g.Timeout > 0 {
			late := time.AfterFunc(g.Timeout, func() { cancel(context.DeadlineExceeded) })
			context.AfterFunc(call, func() { late.Stop() })
		}
	}()
	err = c.follow(stream, wait, g, con)
	if why := context.Cause(call); err != nil && why != nil {
		err = ended(why)
	}
	return err
}

// explainLater tells a person at a terminal what is going on, unless it is over by
// then.
func explainLater(con *console, text string) (stop func()) {
	if !con.errTTY {
		return func() {}
	}
	later := time.AfterFunc(waitBeforeTelling, func() { fmt.Fprintf(con.err, "\r\x1b[K%s\n", con.paint(true, dim)("("+text+")")) })
	return func() { later.Stop() }
}

// ended is why a call was given up, as report understands it.
func ended(why error) error {
	if errors.Is(why, context.DeadlineExceeded) {
		return status.FromContextError(why).Err()
	}
	return why
}

// hear sends audio as it comes, until its end or that of ctx.
func hear(ctx context.Context, stream gatewayv1.ModelGatewayService_StreamTranscribeClient, audio io.Reader) error {
	pieces := make(chan []byte)
	failed := make(chan error, 1)
	go func() { // standard input cannot be woken: it may outlive the command's work
		for {
			buf := make([]byte, recordingPiece)
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
				return nil // Recv tells why
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

// follow prints what is understood, to the end.
func (c transcribeCommand) follow(stream gatewayv1.ModelGatewayService_StreamTranscribeClient, wait *waiting, g *globals, con *console) error {
	line := interimLine{con: con}
	printed := false
	for {
		event, err := stream.Recv()
		wait.stop()
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
		}
		if event.GetServedBy() != nil {
			c.told(con, event.GetServedBy(), nil)
		}
	}
}

// interimLine shows on one line of a terminal what is understood so far.
type interimLine struct {
	con   *console
	drawn bool
}

// show draws the end of the text, as much as a line holds: what is certain as it
// is, the rest dimmed.
func (l *interimLine) show(i *gatewayv1.InterimTranscript) {
	if !l.con.errTTY {
		return
	}
	clean := func(text string) string {
		return (&console{outTTY: true}).printable(strings.NewReplacer("\n", " ", "\t", " ").Replace(text))
	}
	sure, guess := clean(i.GetCommittedText()), clean(i.GetTentativeText())
	room := terminalWidth(os.Stderr) - 1
	guess = tail(guess, room)
	sure = tail(sure, room-runewidth.StringWidth(guess))
	fmt.Fprintf(l.con.err, "\r\x1b[K%s%s", sure, l.con.paint(true, dim)(guess))
	l.drawn = true
}

func (l *interimLine) clear() {
	if l.drawn {
		fmt.Fprint(l.con.err, "\r\x1b[K")
		l.drawn = false
	}
}

// tail is the end of a text that is too wide.
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
