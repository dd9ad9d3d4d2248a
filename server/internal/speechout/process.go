package speechout

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"github.com/lexilingo/modelgateway/engines/encode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// maxMessage is how much of what the program says is kept, in bytes.
const maxMessage = 1 << 10

// process is a running encode-speech. It ends with its standard input, and so with the
// server.
type process struct {
	cmd  *exec.Cmd
	kill context.CancelFunc
	in   io.WriteCloser
	out  io.ReadCloser
	said limitedBuffer
}

// startProcess starts the program. It ends with ctx.
func startProcess(ctx context.Context, path string, settings encode.Settings) (*process, error) {
	ctx, kill := context.WithCancel(ctx)
	p := &process{cmd: exec.CommandContext(ctx, path, settings.Args()...), kill: kill}
	p.cmd.Env = []string{"PATH=/usr/bin:/bin"} // for the launcher of scripts/build.sh; no keys of the server
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		p.out, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		kill()
		return nil, errs.New(errs.EngineUnavailable, "the program %s does not start: %s", Program, errs.WithoutPath(err)).WithCause(err)
	}
	return p, nil
}

// exchange sends samples, or with none the end, and returns what they became.
func (p *process) exchange(pcm []byte) ([]byte, error) {
	err := encode.WriteFrame(p.in, pcm)
	if err == nil {
		var encoded []byte
		if encoded, err = encode.ReadFrame(p.out); err == nil {
			return encoded, nil
		}
	}
	_ = p.cmd.Wait() // it has ended, or does so because of ctx; what it said has been read then
	return nil, errs.New(errs.EngineUnavailable, "the speech could not be encoded: %s", strings.TrimSpace(p.said.String())).WithCause(err)
}

// close ends the program.
func (p *process) close() {
	p.kill()
	_ = p.cmd.Wait() // an early end is no error
}

// limitedBuffer keeps the beginning of what is written to it.
type limitedBuffer struct{ kept bytes.Buffer } // not embedded: its ReadFrom has no limit

func (b *limitedBuffer) String() string { return b.kept.String() }

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := maxMessage - b.kept.Len(); room > 0 {
		b.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
