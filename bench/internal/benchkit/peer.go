package benchkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Peer is a reference program. It answers requests, one JSON line each, and
// measures itself.
type Peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// maxAnswer limits the length of a line of a peer.
const maxAnswer = 1 << 20

// StartPeer runs a peer. Its standard error goes to log.
func StartPeer(log io.Writer, name string, args ...string) (*Peer, error) {
	cmd := exec.Command(name, args...)
	// It has its own libraries and must not use those of the native prefix.
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH=")
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Peer{cmd: cmd, in: in, out: bufio.NewReaderSize(out, maxAnswer)}, nil
}

// PID returns the process id.
func (p *Peer) PID() int { return p.cmd.Process.Pid }

// Ask sends a request and decodes the answer.
func (p *Peer) Ask(request, answer any) error {
	if err := json.NewEncoder(p.in).Encode(request); err != nil {
		return fmt.Errorf("cannot send the request to the peer: %w", err)
	}
	line, err := p.out.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("the peer did not answer; see its output with -v: %w", err)
	}
	return json.Unmarshal(line, answer)
}

// Stop ends the peer.
func (p *Peer) Stop() {
	_ = p.in.Close()
	killer := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	_ = p.cmd.Wait()
}

// Versions reads the first line of a peer, which has the versions of its packages.
func (p *Peer) Versions() (string, error) {
	line, err := p.out.ReadSlice('\n')
	if err != nil {
		return "", fmt.Errorf("the peer did not start; see its output with -v: %w", err)
	}
	var first struct {
		Versions map[string]string `json:"versions"`
	}
	if err := json.Unmarshal(line, &first); err != nil {
		return "", fmt.Errorf("the peer printed %.200q: %w", line, err)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(first.Versions)) {
		parts = append(parts, name+" "+first.Versions[name])
	}
	return strings.Join(parts, ", "), nil
}
