package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // what a client registers to compress

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// peakMiB returns the most memory that a process has had, in MiB.
func peakMiB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kb, err := strconv.Atoi(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}

// raceDetector reports whether the test runs with the race detector, which takes
// several times the memory.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// dialGRPC returns a client of a server.
func dialGRPC(t *testing.T, address string, opts ...grpc.DialOption) gatewayv1.ModelGatewayServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return gatewayv1.NewModelGatewayServiceClient(conn)
}

// unfinished is the body of a call: a message without its end. sent is called
// when all that there is was read.
type unfinished struct {
	head bytes.Reader
	left int
	sent func()
	end  <-chan struct{}
}

func newUnfinished(size int, sent func(), end <-chan struct{}) *unfinished {
	u := &unfinished{left: size, sent: sent, end: end}
	prefix := binary.BigEndian.AppendUint32([]byte{0}, uint32(size)+1)
	u.head.Reset(prefix)
	return u
}

// Read implements io.Reader.
func (u *unfinished) Read(p []byte) (int, error) {
	if u.head.Len() > 0 {
		return u.head.Read(p)
	}
	if u.left == 0 {
		u.sent()
		<-u.end
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), u.left)
	u.left -= n
	return n, nil
}

// Messages that are not finished hold memory within the budget that all share,
// however many there are: of unary calls and streams, over the gRPC port and the
// HTTP port. Others are served meanwhile.
func TestUnfinishedMessagesShareMemory(t *testing.T) {
	const calls, size, mostMiB = 40, 31 << 20, 512
	for _, c := range []struct {
		name, method string
		http         bool
	}{
		{"unary", gatewayv1.ModelGatewayService_Recognize_FullMethodName, false},
		{"stream", gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName, false},
		{"unary over HTTP", gatewayv1.ModelGatewayService_Recognize_FullMethodName, true},
		{"stream over HTTP", gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serveCommand(t, speechModels)
			address, httpAddress := server.addresses(t)
			target := address
			if c.http {
				target = httpAddress
			}
			others := dialGRPC(t, address)
			if _, err := others.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
				t.Fatal(err)
			}
			before := peakMiB(t, server.Process.Pid)
			var protocols http.Protocols
			protocols.SetUnencryptedHTTP2(true)
			transport := &http.Transport{Protocols: &protocols}
			defer transport.CloseIdleConnections()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			var waiting, clients sync.WaitGroup
			var refused atomic.Int32
			for range calls {
				waiting.Add(1)
				done := sync.OnceFunc(waiting.Done)
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+target+c.method, newUnfinished(size, done, ctx.Done()))
				req.Header.Set("Content-Type", "application/grpc")
				req.Header.Set("Te", "trailers")
				clients.Go(func() {
					defer done()
					resp, err := transport.RoundTrip(req)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if resp.Trailer.Get("Grpc-Status")+resp.Header.Get("Grpc-Status") == strconv.Itoa(int(codes.ResourceExhausted)) {
						refused.Add(1)
					}
				})
			}
			waiting.Wait()
			if _, err := others.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
				t.Error(err)
			}
			grown := peakMiB(t, server.Process.Pid) - before
			t.Logf("%d of %d calls were refused; the server grew by %d MiB", refused.Load(), calls, grown)
			if grown > mostMiB && !raceDetector() {
				t.Errorf("the server grew by %d MiB, want at most %d", grown, mostMiB)
			}
			if refused.Load() == 0 {
				t.Error("no call was refused")
			}
			leave()
			clients.Wait()
			_ = server.Process.Signal(syscall.SIGTERM)
			if code := server.end(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// What is compressed could become a thousand times as much in memory. It is
// refused before that, on both ports.
func TestCompressedMessagesAreRefused(t *testing.T) {
	server := serveCommand(t, speechModels)
	address := server.ready(t)
	before := peakMiB(t, server.Process.Pid)
	client := dialGRPC(t, address, grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(256<<20), grpc.UseCompressor("gzip")))
	audio := make([]byte, 60<<20)
	for range 4 {
		_, err := client.Recognize(within(t, time.Minute), &gatewayv1.RecognizeRequest{Audio: audio})
		checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
		stream, err := client.Transcribe(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: audio[:1<<20]}})
		_, err = stream.CloseAndRecv()
		checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
	}
	if grown := peakMiB(t, server.Process.Pid) - before; grown > 64 && !raceDetector() {
		t.Errorf("the server grew by %d MiB", grown)
	}
	if _, err := dialGRPC(t, address).Recognize(within(t, time.Minute), &gatewayv1.RecognizeRequest{Audio: audio[:1000]}); err != nil {
		t.Error(err)
	}
}

// A client that fills the queue of a model does not keep others out: they get places
// in it, and their turn, over every protocol.
func TestAFullQueueHasRoomForOthers(t *testing.T) {
	r := start(t, strings.Replace(faultModels, "max_concurrency: 16, queue: 512", "max_concurrency: 1, queue: 4", 1))
	hold, leave := context.WithCancel(within(t, time.Minute))
	many := dialGRPC(t, r.GRPCAddr().String(), grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		return from.DialContext(ctx, "tcp", address)
	}))
	errors := make(chan error, 100)
	counts := func() (active, queued int32) {
		m := r.test.Model(t, "qwen")
		return m.GetActiveCount(), m.GetQueuedCount()
	}
	calls := 0
	for active, queued := counts(); queued < 4; active, queued = counts() {
		if int(active+queued) == calls { // the last one has arrived
			calls++
			go func() {
				_, err := many.Chat(hold, &gatewayv1.ChatRequest{Messages: say(stalls)})
				errors <- err
			}()
		}
	}
	answers := make(chan error, 2)
	go func() { answers <- chatOf("qwen", "Hello")(within(t, time.Minute), r) }()
	checkStatus(t, <-errors, codes.ResourceExhausted, errs.QueueFull, true) // for the other's place
	go func() {
		req := chatBody("qwen", "Hello")
		resp, body := r.post(t, req.path, req.body)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("over REST: %d %s", resp.StatusCode, body)
		}
		answers <- nil
	}()
	checkStatus(t, <-errors, codes.ResourceExhausted, errs.QueueFull, true)
	leave()
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}
