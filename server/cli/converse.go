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

const converseHelp = `/reset         start a new conversation
/system TEXT   set the system prompt and start a new conversation; without TEXT: remove it
/help          show this list
/quit          quit, like Ctrl-D
Ctrl-C         stop the answer`

// lineReader reads lines from the user.
type lineReader interface {
	Prompt(prompt string) (string, error)
	AppendHistory(line string)
}

// conversation is a chat on the terminal and its messages so far.
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
		return err // before the user types the first line
	}
	lines := liner.NewLiner()
	defer func() { _ = lines.Close() }()
	lines.SetCtrlCAborts(true)
	defer endOnTerminate(lines)()
	fmt.Fprintln(con.err, con.paint(con.errTTY, dim)("Type a message. /help lists the commands, Ctrl-D quits."))
	conv := &conversation{command: c, client: client, globals: g, con: con}
	conv.reset()
	return conv.loop(lines)
}

// endOnTerminate restores the terminal and ends the process on SIGTERM. The line
// editor waits for a key and does not notice the signal.
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
			if quit := v.runCommand(line); quit {
				return nil
			}
			continue
		}
		v.send(line)
	}
}

// runCommand runs a line that begins with a slash.
func (v *conversation) runCommand(line string) (quit bool) {
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

// send sends a message and prints the answer. If the answer fails or is stopped,
// the part that arrived stays in the conversation.
func (v *conversation) send(line string) {
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
		return // without an answer, the message is dropped too
	}
	v.messages = append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: text})
}
