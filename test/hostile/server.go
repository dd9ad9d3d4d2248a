package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// server is a running `modelgateway serve` with the starter models and the built-in
// configuration.
type server struct {
	cmd        *exec.Cmd
	grpc, http string // addresses
	dir        string
	conn       *grpc.ClientConn
	models     gatewayv1.ModelGatewayServiceClient
	exited     chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

var anAddress = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startServer runs a program on free ports.
func startServer(program string) (*server, error) {
	dir, err := os.MkdirTemp("", "hostile-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, exited: make(chan struct{})}
	s.cmd = exec.Command(program, "serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--state-dir", filepath.Join(dir, "state"), "--starters-only")
	s.cmd.Dir = dir // without models and a .env file of the caller's folder
	// Who is not root can reset the peak of a process only if it is debuggable.
	s.cmd.Env = append(os.Environ(), "MODELGATEWAY_DEBUGGABLE=true")
	s.cmd.Stderr = s
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	lines := bufio.NewReader(stdout)
	line, readErr := lines.ReadString('\n')
	go func() {
		_, _ = io.Copy(s, lines)
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	addrs := anAddress.FindAllString(line, -1)
	if readErr != nil || len(addrs) != 2 {
		s.stop()
		return nil, fmt.Errorf("%s printed no line with two addresses but %q:\n%s", program, line, s.output())
	}
	s.grpc, s.http = addrs[0], addrs[1]
	s.conn, err = grpc.NewClient(s.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dialerFrom(honestAddress).dial))
	if err != nil {
		s.stop()
		return nil, err
	}
	s.models = gatewayv1.NewModelGatewayServiceClient(s.conn)
	return s, nil
}

// Write collects the output of the server.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stop ends the server and removes its state. It reports whether it ended as told.
func (s *server) stop() bool {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	ended := true
	select {
	case <-s.exited:
	case <-time.After(patience):
		ended = false
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	_ = os.RemoveAll(s.dir)
	return ended && s.cmd.ProcessState.ExitCode() == 0
}

// pid returns the process id of the server.
func (s *server) pid() int { return s.cmd.Process.Pid }

// status returns the state of the server and its models.
func (s *server) status(ctx context.Context) (*gatewayv1.StatusResponse, error) {
	return s.models.Status(ctx, &gatewayv1.StatusRequest{})
}

// workers returns the process ids of the workers.
func (s *server) workers(ctx context.Context) ([]int, error) {
	st, err := s.status(ctx)
	var pids []int
	for _, m := range st.GetModels() {
		if pid := int(m.GetWorkerPid()); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// leases returns how many requests hold a model or wait for one.
func leases(st *gatewayv1.StatusResponse) int {
	n := 0
	for _, m := range st.GetModels() {
		n += int(m.GetActiveCount() + m.GetQueuedCount())
	}
	return n
}

// awaitIdle waits until no request holds a model or waits for one.
func (s *server) awaitIdle(ctx context.Context) error {
	for {
		st, err := s.status(ctx)
		if err != nil {
			return fmt.Errorf("requests are left: %w", err)
		}
		if leases(st) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d requests are left in the server", leases(st))
		case <-time.After(2 * time.Millisecond):
		}
	}
}
