package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// attack is one kind of attack.
type attack struct {
	name, what string
	// run attacks until ctx ends.
	run func(ctx context.Context, c *client)
	// bodies: it sends large bodies, all of which are to be refused cheaply.
	bodies bool
}

// attacks are the kinds, as docs/security.md lists them.
var attacks = []attack{
	{"A1", "abandoned uploads", abandonUploads, false},
	{"A2", "endless bodies that claim another type", sendEndlessBodies, true},
	{"A3", "gzip bombs and unfinished messages", sendBombs, true},
	{"A4", "messages of millions of values", sendWideMessages, true},
	{"A5", "random deadlines and cancels", cancelAtRandom, false},
	{"A6", "places held with a few bytes", holdPlaces, false},
	{"A7", "reservations without bytes", reserveSilently, false},
	{"A8", "resets, stalled watchers, unread answers", resetStreams, false},
	{"A9", "the host name of another site", useOtherHost, false},
	{"A10", "recordings whose headers lie", lieInHeaders, false},
	{"A11", "everything a byte at a time", trickle, false},
}

// report is what an attack did.
type report struct {
	Sent      int64 // bytes
	Requests  int64 // those that ended
	Refused   int64 // of them, with an error of the server
	Cancelled int64 // random deadlines and cancels that ended calls
	// Wrong are answers that an attack must not get.
	Wrong []string
	// cpu is the processor time of the hostile client.
	cpu time.Duration
}

// client is the hostile client. It runs in a process of its own.
type client struct {
	*dialer
	grpcAddr, httpAddr string
	random             func() *rand.Rand

	requests, refused, cancelled atomic.Int64
	mu                           sync.Mutex
	wrong                        []string
}

// runAttack is the main function of the process of an attack.
func runAttack(args []string) error {
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	c := &client{dialer: dialerFrom(hostileAddress)}
	flags.StringVar(&c.grpcAddr, "grpc", "", "address of the gRPC port")
	flags.StringVar(&c.httpAddr, "http", "", "address of the HTTP port")
	seed := flags.Uint64("seed", 0, "of what is random")
	length := flags.Duration("for", time.Second, "how long")
	names := flags.String("names", "", "the attacks, separated by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var stream atomic.Uint64
	c.random = func() *rand.Rand { return rand.New(rand.NewPCG(*seed, stream.Add(1))) } //nolint:gosec // nothing secret
	ctx, cancel := context.WithTimeout(context.Background(), *length+patience)
	defer cancel()
	time.AfterFunc(*length, func() {
		for c.requests.Load() == 0 && ctx.Err() == nil { // it is still preparing, on a busy machine
			rest(ctx, 10*time.Millisecond)
		}
		cancel()
	})
	var running sync.WaitGroup
	for _, a := range attacks {
		if strings.Contains(","+*names+",", ","+a.name+",") {
			running.Go(func() { a.run(ctx, c) })
		}
	}
	running.Wait()
	return json.NewEncoder(os.Stdout).Encode(report{
		Sent: c.sent.Load(), Requests: c.requests.Load(), Refused: c.refused.Load(), Cancelled: c.cancelled.Load(), Wrong: c.wrong,
	})
}

// startAttack runs attacks in another process. The returned function waits for its
// end. The process has only the processor time that the server and the honest client
// leave: a hostile client is usually on another machine, and takes none there.
func startAttack(ctx context.Context, s *server, seed uint64, names string, length time.Duration) (wait func() (report, error), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Its own end comes soon after the time given.
	ctx, cancel := context.WithTimeout(ctx, length+2*patience)
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", self, "attack", "-names", names, "-grpc", s.grpc, "-http", s.http,
		"-for", length.String(), "-seed", fmt.Sprint(seed))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return func() (report, error) {
		defer cancel()
		var r report
		if err := cmd.Wait(); err != nil {
			return r, fmt.Errorf("the hostile client: %w", err)
		}
		r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		return r, json.Unmarshal(out.Bytes(), &r)
	}, nil
}

// many runs f in n goroutines, again and again until ctx ends, with a pause
// between.
func many(ctx context.Context, n int, pause time.Duration, f func(context.Context)) {
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			for ctx.Err() == nil {
				f(ctx)
				rest(ctx, pause)
			}
		})
	}
	running.Wait()
}

// all runs the functions at once.
func all(fs ...func()) {
	var running sync.WaitGroup
	for _, f := range fs {
		running.Go(f)
	}
	running.Wait()
}

// rest waits.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ended counts a request that the server answered, with an error or not.
func (c *client) ended(refused bool) {
	c.requests.Add(1)
	if refused {
		c.refused.Add(1)
	}
}

// mustNot notes an answer that the server must not give.
func (c *client) mustNot(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const most = 10
	if len(c.wrong) < most {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

// connect opens a connection that ctx closes.
func (c *client) connect(ctx context.Context, address string) (conn net.Conn, leave func(), err error) {
	conn, err = c.dial(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() {
		stop()
		_ = conn.Close()
	}, nil
}

// transport returns a transport for a protocol of HTTP; two is HTTP/2.
func (c *client) transport(two bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	return &http.Transport{Protocols: &protocols, DialContext: c.dialContext, MaxConnsPerHost: 64}
}

// post sends a request and reads its answer. It returns the status of HTTP, 0 if
// there is no answer, and whether the answer is an error, be it of gRPC.
func (c *client) post(ctx context.Context, t *http.Transport, url string, body io.Reader, header ...string) (status int, refused bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		c.mustNot("%v", err)
		return 0, false
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Host = req.Header.Get("Host")
	resp, err := t.RoundTrip(req)
	if err != nil {
		return 0, true
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, megabyte))
	if err != nil {
		return 0, true
	}
	grpcStatus := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	refused = resp.StatusCode >= 400 || grpcStatus != "" && grpcStatus != "0" ||
		bytes.Contains(answer, []byte("grpc-status:")) || bytes.Contains(answer, []byte(`"error"`)) // at the end of gRPC-Web and Connect
	c.ended(refused)
	return resp.StatusCode, refused
}

// postRefused is post of what the server must refuse.
func (c *client) postRefused(ctx context.Context, t *http.Transport, url string, body io.Reader, header ...string) {
	if status, refused := c.post(ctx, t, url, body, header...); !refused && ctx.Err() == nil {
		c.mustNot("%s with %q was answered with %d", url, header, status)
	}
}

// dialGRPC returns a client of the gRPC port with a connection of its own.
func (c *client) dialGRPC(opts ...grpc.DialOption) (gatewayv1.ModelGatewayServiceClient, func()) {
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(c.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	conn, err := grpc.NewClient(c.grpcAddr, opts...)
	if err != nil {
		panic(err) // of the options
	}
	return gatewayv1.NewModelGatewayServiceClient(conn), func() { _ = conn.Close() }
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
