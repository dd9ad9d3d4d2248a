package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// gateway is a running `modelgateway serve`.
type gateway struct {
	*calls.Link
	cmd    *exec.Cmd
	exited chan struct{}
	conn   *grpc.ClientConn
	models gatewayv1.ModelGatewayServiceClient
	admin  gatewayv1.ModelAdminServiceClient
	output *output
	// sure counts the inferences that it answered, unsure those whose connection broke,
	// which it may not have got.
	sure, unsure atomic.Int64
}

var anAddress = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// startGateway runs the server of a lane on free ports. key is an API key.
func startGateway(program, dir, key string) (*gateway, error) {
	g := &gateway{exited: make(chan struct{}), output: &output{}}
	g.cmd = exec.Command(program, "serve", "--config", filepath.Join(dir, "config.yaml"))
	g.cmd.Dir = dir
	g.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(dir, "t"), "RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR=")
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	logR, logW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, _ = unix.FcntlInt(logW.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()) // soon full when it is not read
	g.cmd.Stderr = logW
	err = g.cmd.Start()
	_ = logW.Close()
	if err != nil {
		return nil, errors.Join(err, logR.Close())
	}
	go g.output.read(logR)
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		_ = g.cmd.Wait()
		close(g.exited)
	}()
	addrs := anAddress.FindAllString(line, -1)
	if readErr != nil || len(addrs) != 2 {
		g.kill()
		return nil, fmt.Errorf("%s printed no line with two addresses but %q:\n%s", program, line, strings.Join(g.output.last(30), "\n"))
	}
	g.Link = calls.New(addrs[0], addrs[1], key)
	g.conn, err = grpc.NewClient(addrs[0], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key), method, req, reply, cc, opts...)
		}))
	if err != nil {
		g.kill()
		return nil, err
	}
	g.models, g.admin = gatewayv1.NewModelGatewayServiceClient(g.conn), gatewayv1.NewModelAdminServiceClient(g.conn)
	return g, nil
}

func (g *gateway) pid() int { return g.cmd.Process.Pid }

func (g *gateway) signal(sig syscall.Signal) { _ = g.cmd.Process.Signal(sig) }

// kill ends the gateway at once.
func (g *gateway) kill() {
	g.signal(syscall.SIGKILL)
	<-g.exited
	g.close()
}

// stop ends the gateway as an operator does, and reports whether it did so with
// exit code 0.
func (g *gateway) stop() bool {
	g.signal(syscall.SIGTERM)
	select {
	case <-g.exited:
	case <-time.After(calls.Patience):
		g.signal(syscall.SIGKILL)
		<-g.exited
	}
	g.close()
	return g.cmd.ProcessState.ExitCode() == 0
}

func (g *gateway) close() {
	if g.conn != nil {
		_ = g.conn.Close()
		g.Close()
	}
}

// model returns the state of a model.
func (g *gateway) model(ctx context.Context, name string) (*gatewayv1.Model, error) {
	resp, err := g.admin.GetModel(ctx, &gatewayv1.GetModelRequest{Name: name})
	return resp.GetModel(), err
}

// output reads the log of a gateway, and can stop reading.
type output struct {
	reading sync.Mutex // held while nobody reads

	mu    sync.Mutex
	lines []string
}

func (o *output) read(r io.ReadCloser) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		o.reading.Lock()
		o.mu.Lock()
		if line != "" {
			o.lines = append(o.lines, line[:len(line)-1])
		}
		const most = 2000
		if len(o.lines) > 2*most {
			o.lines = append([]string(nil), o.lines[most:]...)
		}
		o.mu.Unlock()
		o.reading.Unlock()
		if err != nil {
			_ = r.Close()
			return
		}
	}
}

// last returns the last lines.
func (o *output) last(n int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.lines[max(0, len(o.lines)-n):]...)
}
