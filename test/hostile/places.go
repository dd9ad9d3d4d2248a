package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// critical is what a hostile client says of its requests.
var critical = &gatewayv1.Routing{Priority: gatewayv1.Priority_PRIORITY_CRITICAL}

// cancelAtRandom (A5) makes calls with deadlines of 0 to 60 ms, or cancels them
// after such a time.
func cancelAtRandom(ctx context.Context, c *client) {
	models, leave := c.dialGRPC()
	defer leave()
	clip := flacFile(4*time.Second, 0)
	many(ctx, 16, 0, func(ctx context.Context) {
		r := c.random()
		for ctx.Err() == nil {
			limited, cancel := atRandom(ctx, r)
			err := anyCall(limited, models, r.IntN(5), clip)
			cancel()
			c.ended(err != nil)
			switch status.Code(err) {
			case codes.Canceled, codes.DeadlineExceeded:
				c.cancelled.Add(1)
			}
		}
	})
}

// atRandom returns a context that ends soon, by its deadline or without one.
func atRandom(ctx context.Context, r *rand.Rand) (context.Context, context.CancelFunc) {
	after := time.Duration(r.Int64N(int64(60 * time.Millisecond)))
	if r.IntN(2) == 0 {
		return context.WithTimeout(ctx, after)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := time.AfterFunc(after, cancel)
	return ctx, func() {
		stop.Stop()
		cancel()
	}
}

// anyCall makes one of the calls.
func anyCall(ctx context.Context, models gatewayv1.ModelGatewayServiceClient, which int, clip []byte) error {
	var err error
	switch which {
	case 0:
		_, err = models.Chat(ctx, &gatewayv1.ChatRequest{Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "Hello"}}})
	case 1:
		_, err = models.Grammar(ctx, &gatewayv1.GrammarRequest{Text: "She go to school."})
	case 2:
		_, err = models.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: clip})
	case 3:
		_, err = models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{Audio: clip, ReferenceText: sentence})
	default:
		stream, failed := models.Synthesize(ctx, &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: sentence}})
		for err = failed; err == nil; {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return err
}

// holdPlaces (A6) keeps models busy, or only their places, with few bytes.
func holdPlaces(ctx context.Context, c *client) {
	t := c.transport(false)
	defer t.CloseIdleConnections()
	minutes := flacFile(0, 7*time.Minute)
	models, leave := c.dialGRPC()
	defer leave()
	const drip = 5 * time.Second
	all(
		// Minutes of silence in a kilobyte.
		func() {
			many(ctx, 2, 0, func(ctx context.Context) {
				_, err := models.Recognize(ctx, &gatewayv1.RecognizeRequest{Config: &gatewayv1.TranscriptionConfig{Routing: critical}, Audio: minutes})
				c.ended(err != nil)
				c.post(ctx, t, "http://"+c.httpAddr+"/v1/transcribe?priority=critical", bytes.NewReader(minutes), "Content-Type", "audio/flac")
			})
		},
		// More requests than a queue has places.
		func() {
			many(ctx, 400, time.Second, func(ctx context.Context) {
				_, err := models.Recognize(ctx, &gatewayv1.RecognizeRequest{Config: &gatewayv1.TranscriptionConfig{Routing: critical}, Audio: minutes})
				c.ended(err != nil)
			})
		},
		// Speech of two bytes at a time.
		func() {
			many(ctx, 4, 0, func(ctx context.Context) {
				stream, err := models.StreamTranscribe(ctx)
				if err != nil {
					return
				}
				_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{
					Routing: critical, Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
				}}})
				for err == nil && ctx.Err() == nil {
					err = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: []byte{0, 0}}})
					rest(ctx, drip)
				}
				c.ended(true)
			})
		},
		func() { many(ctx, 4, time.Second, func(ctx context.Context) { c.dripSocket(ctx, drip) }) },
		// Readers of speech that read hardly anything.
		func() { many(ctx, 4, 0, c.readSlowly) },
	)
}

// dripSocket sends speech over a WebSocket, two bytes at a time.
func (c *client) dripSocket(ctx context.Context, every time.Duration) {
	conn, err := c.socket(ctx, "/v1/transcribe/ws?encoding=pcm_s16le")
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	for err == nil && ctx.Err() == nil {
		err = conn.WriteMessage(websocket.BinaryMessage, []byte{0, 0})
		rest(ctx, every)
	}
	c.ended(true)
}

func (c *client) socket(ctx context.Context, path string) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: c.dialContext}
	conn, resp, err := d.DialContext(ctx, "ws://"+c.httpAddr+path, nil)
	if resp != nil {
		_ = resp.Body.Close()
	}
	return conn, err
}

// readSlowly asks for the longest speech and reads 66 kB of it every 25 seconds.
func (c *client) readSlowly(ctx context.Context) {
	conn, hangUp, err := c.connect(ctx, c.httpAddr)
	if err != nil {
		return
	}
	defer hangUp()
	if small, ok := conn.(*countedConn).Conn.(interface{ SetReadBuffer(int) error }); ok {
		_ = small.SetReadBuffer(4 << 10)
	}
	body := `{"routing":{"priority":"PRIORITY_CRITICAL"},"text":"` + strings.Repeat(sentence+" ", 100) + `"}`
	_, _ = fmt.Fprintf(conn, "POST /v1/synthesize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for err == nil {
		_, err = io.CopyN(io.Discard, conn, 66_000)
		rest(ctx, 25*time.Second)
	}
	c.ended(true)
}

// reserveSilently (A7) announces large bodies and opens sessions and sockets, and
// sends nothing.
func reserveSilently(ctx context.Context, c *client) {
	t := c.transport(true)
	defer t.CloseIdleConnections()
	const places = 1100 // more than the server has
	all(
		func() {
			many(ctx, 8, 0, func(ctx context.Context) {
				conn, hangUp, err := c.connect(ctx, c.httpAddr)
				if err != nil {
					return
				}
				defer hangUp()
				_, _ = fmt.Fprint(conn, "POST /v1/pronunciation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 89560000\r\n\r\n")
				_, _ = io.Copy(io.Discard, conn)
				c.ended(true)
			})
		},
		func() {
			many(ctx, places, time.Second, func(ctx context.Context) {
				c.post(ctx, t, "http://"+c.httpAddr+"/v1/transcriptions:open", strings.NewReader(`{"config":{"language":"en"}}`), "Content-Type", "application/json")
			})
		},
		func() { many(ctx, 16, time.Second, c.fillSession) },
		func() {
			many(ctx, places, time.Second, func(ctx context.Context) {
				conn, err := c.socket(ctx, "/v1/transcribe/ws?language=en")
				if err != nil {
					c.ended(true)
					return
				}
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				_, _, _ = conn.ReadMessage()
				_ = conn.Close()
				c.ended(true)
			})
		},
	)
}

// fillSession opens a session and sends all of its audio but the beginning, for
// which the rest has to wait.
func (c *client) fillSession(ctx context.Context) {
	models, leave := c.dialGRPC()
	defer leave()
	stream, err := models.OpenTranscription(ctx, &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{Language: "en"}})
	if err != nil {
		return
	}
	opened, err := stream.Recv()
	for sequence := int64(1); err == nil; sequence++ {
		_, err = models.PushAudio(ctx, &gatewayv1.PushAudioRequest{SessionId: opened.GetSessionId(), Sequence: sequence, Audio: make([]byte, megabyte)})
	}
	c.ended(true)
	<-ctx.Done()
}

// useOtherHost (A9) calls as a page does whose name was rebound to this server.
func useOtherHost(ctx context.Context, c *client) {
	one, two := c.transport(false), c.transport(true)
	defer one.CloseIdleConnections()
	defer two.CloseIdleConnections()
	many(ctx, 4, 5*time.Millisecond, func(ctx context.Context) {
		for _, t := range []*http.Transport{one, two} {
			for _, path := range []string{"/v1/chat", "/v1/transcribe", "/v1/models/qwen:unload", gatewayv1.ModelGatewayService_Chat_FullMethodName} {
				if s, _ := c.post(ctx, t, "http://"+c.httpAddr+path, strings.NewReader(`{"messages":[{"role":"ROLE_USER","content":"Hello"}]}`),
					"Host", "rebound.example:8001", "Content-Type", "application/json", "Connect-Protocol-Version", "1"); s != 0 && s != http.StatusForbidden {
					c.mustNot("a request to %s for another host was answered with %d", path, s)
				}
			}
		}
	})
}
