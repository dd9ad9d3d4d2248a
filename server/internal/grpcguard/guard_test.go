package grpcguard

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

func TestFramesAreFollowed(t *testing.T) {
	var got []frame
	var data []byte
	f := frames{skip: 3, begin: func(f frame) { got = append(got, f) }, data: func(_ uint32, p []byte, last bool) {
		data = append(data, p...)
		if last {
			data = append(data, '.')
		}
	}}
	wire := []byte("PRI")
	wire = append(wire, frameBytes(frameHeaders, 0, 1, []byte{7, 7, 7})...)
	wire = append(wire, frameBytes(frameData, flagPadded, 1, []byte{2, 'a', 'b', 0, 0})...)
	wire = append(wire, frameBytes(frameData, flagEndStream, 1, []byte("cd"))...)
	wire = append(wire, frameBytes(frameData, 0, 1, nil)...)
	wire = append(wire, frameBytes(frameReset, 0, 3, make([]byte, 4))...)
	for _, step := range []int{1, 4, len(wire)} {
		got, data, f.skip = nil, nil, 3
		for part := range slices.Chunk(wire, step) {
			f.feed(part)
		}
		kinds := []byte{}
		for _, g := range got {
			kinds = append(kinds, g.kind)
		}
		if !slices.Equal(kinds, []byte{frameHeaders, frameData, frameData, frameData, frameReset}) || string(data) != "ab.cd." {
			t.Errorf("in steps of %d: %v %q", step, got, data)
		}
	}
}

// frameBytes returns a frame.
func frameBytes(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// client writes frames to a server and reads nothing.
type client struct{ net.Conn }

// echo is a service that receives messages of any size and answers with many.
type echo struct {
	received chan error
	answers  int
	again    func() // if set, called before a second message is received
}

func (e *echo) call(_ any, stream grpc.ServerStream) error {
	m := &healthpb.HealthCheckRequest{}
	err := Receive(stream.Context(), func() error { return stream.RecvMsg(m) })
	e.received <- err
	if err == nil && e.again != nil {
		e.again()
		err = Receive(stream.Context(), func() error { return stream.RecvMsg(m) })
		e.received <- err
	}
	for range e.answers {
		if err := stream.SendMsg(&healthpb.HealthCheckRequest{Service: m.GetService()}); err != nil {
			return err
		}
	}
	return err
}

func serve(t *testing.T, opts Options, answers int) (*Guard, *echo, *client) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if opts.Pool == nil {
		opts.Pool = inflight.NewPool(4 << 20)
	}
	opts.MaxStreams = max(opts.MaxStreams, 10)
	if opts.Calls == nil {
		opts.Calls = inflight.NewShares(1000)
	}
	if opts.Cancels == nil {
		opts.Cancels = inflight.NewRates(1000)
	}
	g, e := New(opts), &echo{received: make(chan error, 1000), answers: answers}
	server := grpc.NewServer(append(g.ServerOptions(), grpc.MaxRecvMsgSize(64<<20))...)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "s", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "m", Handler: e.call, ServerStreams: true, ClientStreams: true},
	}}, e)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(g.Listen(lis)) }()
	t.Cleanup(func() { server.Stop(); <-done })
	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &client{Conn: conn}
	c.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frameBytes(4, 0, 0, nil))
	return g, e, c
}

func (c *client) write(parts ...[]byte) { _, _ = c.Write(slices.Concat(parts...)) }

// headers returns the frame that opens a stream.
func (c *client) headers(stream uint32) []byte {
	var block []byte
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/s/m"}, {":authority", "s"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		// A literal field without indexing (RFC 7541, section 6.2.2).
		block = append(append(block, 0, byte(len(h[0]))), h[0]...)
		block = append(append(block, byte(len(h[1]))), h[1]...)
	}
	return frameBytes(frameHeaders, 4, stream, block) // END_HEADERS
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// A client that owes a message, or the first one, is refused in time; its memory
// comes back.
func TestMessagesThatComeTooSlowly(t *testing.T) {
	g, e, c := serve(t, Options{messageTimeout: 100 * time.Millisecond, sweepInterval: 10 * time.Millisecond}, 0)
	c.write(c.headers(1), c.headers(3), frameBytes(frameData, 0, 3, []byte{0, 0, 0, 3, 0, 'x', 'y'}))
	for range 2 {
		if err := <-e.received; err == nil || !strings.Contains(err.Error(), "too slowly") {
			t.Error(err)
		}
	}
	eventually(t, "the memory does not come back", func() bool { return g.small.Used() == 0 && g.opts.Pool.Used() == 0 })
}

// A message has not arrived before the frame in which it ends: a call that waits for
// the rest of that frame must still hear that it is refused.
func TestMessagesOfAnUnfinishedFrameHaveNotArrived(t *testing.T) {
	g, e, c := serve(t, Options{messageTimeout: time.Second, sweepInterval: 10 * time.Millisecond}, 0)
	reached := make(chan struct{})
	e.again = func() { <-reached }
	message := []byte{0, 0, 0, 0, 3, 10, 1, 'x'}
	frame := frameBytes(frameData, 0, 1, slices.Concat(message, message))
	c.write(c.headers(1), frameBytes(frameData, 0, 1, message), frame[:len(frame)-len(message)+2])
	if err := <-e.received; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second message does not come", func() bool { return complete(g) == 2 })
	close(reached)
	if err := <-e.received; err == nil || !strings.Contains(err.Error(), "too slowly") {
		t.Error(err)
	}
}

// complete returns how many messages of the stream of the only connection are complete.
func complete(g *Guard) int {
	n := 0
	for _, conn := range g.all() {
		conn.mu.Lock()
		defer conn.mu.Unlock()
		for _, s := range conn.streams {
			n += s.messages.Count()
		}
	}
	return n
}

// Bytes count as they come, in the pool beyond the first of each stream.
func TestBytesCountAsTheyCome(t *testing.T) {
	g, e, c := serve(t, Options{}, 0)
	prefix := []byte{0, 0, 0x20, 0, 0} // 2 MiB
	c.write(c.headers(1), frameBytes(frameData, 0, 1, prefix), frameBytes(frameData, 0, 1, make([]byte, 16<<10)))
	eventually(t, "the bytes do not count", func() bool { return g.small.Used() == 32<<10 })
	if used := g.opts.Pool.Used(); used != 0 {
		t.Errorf("%d bytes of a small message count in the pool", used)
	}
	c.write(frameBytes(frameData, 0, 1, make([]byte, 16<<10)), frameBytes(frameData, 0, 1, make([]byte, 16<<10)))
	eventually(t, "the rest does not count in the pool", func() bool { return g.opts.Pool.Used() == 32<<10 && g.small.Used() == 64<<10 })
	c.write(frameBytes(frameReset, 0, 1, make([]byte, 4)))
	<-e.received
	eventually(t, "the memory does not come back", func() bool { return g.small.Used() == 0 && g.opts.Pool.Used() == 0 })
}

// A connection on which answers are not read is closed.
func TestUnreadAnswersEndTheConnection(t *testing.T) {
	g, e, c := serve(t, Options{UnreadTimeout: 100 * time.Millisecond, sweepInterval: 10 * time.Millisecond, messageTimeout: time.Minute}, 1)
	// No window for the answer, which is sent after its call has ended.
	c.write(frameBytes(4, 0, 0, []byte{0, 4, 0, 0, 0, 0}))
	c.write(c.headers(1), frameBytes(frameData, flagEndStream, 1, []byte{0, 0, 0, 0, 3, 10, 1, 'x'}))
	if err := <-e.received; err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c.Conn); err != nil {
		t.Log(err) // a reset is an end too
	}
	eventually(t, "the connection is still known", func() bool { return len(g.all()) == 0 })
}

// Calls whose answers wait for their client count as calls.
func TestUnreadAnswersCountAsCalls(t *testing.T) {
	g, e, c := serve(t, Options{MaxStreams: 10}, 1)
	c.write(frameBytes(4, 0, 0, []byte{0, 4, 0, 0, 0, 0}))
	for i := range uint32(50) {
		c.write(c.headers(2*i+1), frameBytes(frameData, flagEndStream, 2*i+1, []byte{0, 0, 0, 0, 3, 10, 1, 'x'}))
	}
	for range 10 {
		<-e.received
	}
	// The answer to a ping shows that all frames before it were read.
	c.write(frameBytes(6, 0, 0, make([]byte, 8)))
	buf := make([]byte, 4<<10)
	pong := false
	f := frames{data: func(uint32, []byte, bool) {}, begin: func(f frame) { pong = pong || f.kind == 6 }}
	for !pong {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		f.feed(buf[:n])
	}
	if n := len(e.received); n > 0 {
		t.Errorf("%d more calls were served", n)
	}
	for _, conn := range g.all() {
		conn.mu.Lock()
		if n := len(conn.streams); n != 10 {
			t.Errorf("%d streams", n)
		}
		conn.mu.Unlock()
	}
}

// Many calls at once on one connection, some of them large, and a pool that is
// large enough: nothing is refused.
func TestHonestClientsAreNotRefused(t *testing.T) {
	g, e, c := serve(t, Options{Pool: inflight.NewPool(64 << 20), MaxStreams: 100}, 3)
	conn, err := grpc.NewClient(c.RemoteAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	results := make(chan error, 100)
	for i := range cap(results) {
		go func() {
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/s/m")
			if err == nil {
				size := 10
				if i%25 == 0 {
					size = 1 << 20
				}
				err = stream.SendMsg(&healthpb.HealthCheckRequest{Service: string(make([]byte, size))})
			}
			for range 3 {
				if err == nil {
					err = stream.RecvMsg(&healthpb.HealthCheckRequest{})
				}
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
		if err := <-e.received; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the memory does not come back", func() bool { return g.small.Used() == 0 && g.opts.Pool.Used() == 0 })
}

// A client cannot send the rest of a message while the service is busy with what
// came before: that is not the client's time.
func TestMessagesThatWaitForTheirServiceAreNotLate(t *testing.T) {
	const timeout = 200 * time.Millisecond
	_, e, c := serve(t, Options{messageTimeout: timeout, sweepInterval: timeout / 10}, 0)
	e.again = func() { time.Sleep(4 * timeout) } // what is tested
	conn, err := grpc.NewClient(c.RemoteAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/s/m")
	for range 2 {
		if err == nil {
			err = stream.SendMsg(&healthpb.HealthCheckRequest{Service: string(make([]byte, 300<<10))})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-e.received; err != nil {
			t.Error(err)
		}
	}
}
