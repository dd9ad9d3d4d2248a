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

	"github.com/peterh/liner"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const converseHelp = `/reset         start over
/system TEXT   set the instructions and start over; without TEXT: take them away
/help          this list
/quit          end; Ctrl-D does too
Ctrl-C         stop the answer`

// lineReader reads a person's lines.
type lineReader interface {
	Prompt(prompt string) (string, error)
	AppendHistory(line string)
}

// conversation is what has been said so far.
type conversation struct {
	command  chatCommand
	client   *modelgateway.Client
	globals  *globals
	con      *console
	messages []*gatewayv1.ChatMessage
}

// converse holds a conversation on the terminal.
func (c chatCommand) converse(ctx context.Context, g *globals, con *console) error {
	client, err := g.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if _, err := client.Status(ctx, &gatewayv1.StatusRequest{}); err != nil {
		return err // better now than after the first line is typed
	}
	lines := liner.NewLiner()
	defer func() { _ = lines.Close() }()
	lines.SetCtrlCAborts(true)
	defer endOnTerminate(lines)()
	fmt.Fprintln(con.err, con.paint(con.errTTY, dim)("Type a message; /help lists the commands, Ctrl-D ends."))
	conv := &conversation{command: c, client: client, globals: g, con: con}
	conv.reset()
	return conv.loop(lines)
}

// endOnTerminate ends the process on SIGTERM with the terminal as it was: the
// line editor waits for a key and would not notice.
func endOnTerminate(lines *liner.State) (stop func()) {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		select {
		case <-terminated:
			_ = lines.Close()
			os.Exit(exitInterrupted)
		case <-ended:
		}
	}()
	return func() {
		signal.Stop(terminated)
		close(ended)
	}
}

func (v *conversation) loop(lines lineReader) error {
	for {
		line, err := lines.Prompt("> ")
		switch {
		case errors.Is(err, io.EOF):
			fmt.Fprintln(v.con.out)
			return nil
		case errors.Is(err, liner.ErrPromptAborted):
			continue
		case err != nil:
			return err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		lines.AppendHistory(line)
		if strings.HasPrefix(line, "/") {
			if end := v.order(line); end {
				return nil
			}
			continue
		}
		v.say(line)
	}
}

// order obeys a line that begins with a slash.
func (v *conversation) order(line string) (end bool) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "/quit", "/exit":
		return true
	case "/reset":
		v.reset()
	case "/system":
		v.command.System = strings.TrimSpace(rest)
		v.reset()
	default:
		fmt.Fprintln(v.con.err, converseHelp)
	}
	return false
}

func (v *conversation) reset() { v.messages = nil }

// say asks and answers. A failed or stopped answer leaves the conversation as
// far as it came, so that the next line goes on from there.
func (v *conversation) say(line string) {
	// The conversation outlives an interrupted answer: each has its own context.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := v.globals.deadline(ctx)
	defer cancel()

	messages := v.command.opening(line)
	if len(v.messages) > 0 {
		messages = append(v.messages, messages[len(messages)-1])
	}
	text, err := v.command.answer(ctx, v.client, messages, v.globals, v.con)
	if err != nil && explain(err, v.globals.Addr).ExitCode != exitInterrupted {
		report(err, v.globals, v.con)
	}
	if text == "" {
		return // nothing was answered: the question is not kept either
	}
	v.messages = append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: text})
}
