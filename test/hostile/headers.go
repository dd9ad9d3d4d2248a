package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// lieInHeaders (A10) sends recordings of each format whose headers announce what does
// not come, or what no recording has.
func lieInHeaders(ctx context.Context, c *client) {
	recordings := lyingRecordings()
	models, leave := c.dialGRPC()
	defer leave()
	t := c.transport(false)
	defer t.CloseIdleConnections()
	const stay = time.Second // of a client that gives up
	var next atomic.Int64
	many(ctx, 18, 10*time.Millisecond, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, stay)
		defer cancel()
		i := int(next.Add(1))
		r := recordings[i/3%len(recordings)]
		switch i % 3 {
		case 0:
			_, err := models.Recognize(ctx, &gatewayv1.RecognizeRequest{Audio: r})
			c.ended(err != nil)
		case 1:
			c.post(ctx, t, "http://"+c.httpAddr+"/v1/transcribe", bytes.NewReader(r), "Content-Type", "application/octet-stream")
		case 2:
			c.post(ctx, t, "http://"+c.httpAddr+"/v1/pronunciation",
				strings.NewReader(`{"reference_text":"hello","audio":"`+base64.StdEncoding.EncodeToString(r)+`"}`), "Content-Type", "application/json")
		}
	})
}

// lyingRecordings returns recordings of at most some hundred kilobytes.
func lyingRecordings() [][]byte {
	le := binary.LittleEndian
	samples := make([]byte, 3200)
	wav := func(patch func(header []byte)) []byte {
		h := audio.WAVHeader(16000, int64(len(samples)))
		patch(h)
		return append(h, samples...)
	}
	// Where the fields of a WAV header are.
	const size, formatSize, channels, rate, block, bits, data = 4, 16, 22, 24, 32, 34, 40
	chunk := func(name string, length uint32) []byte { return le.AppendUint32([]byte(name), length) }
	flac := []byte(flacHeader + flacSilence)
	// A stream of one channel, with 16 kHz and 2^36-1 samples of 32 bits.
	endless := bytes.Clone(flac)
	copy(endless[18:26], "\x03\xe8\x01\xff\xff\xff\xff\xff")
	ogg := func(segments, body string) []byte {
		return []byte("OggS\x00\x02\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + string(rune(len(segments))) + segments + body)
	}
	const opusHead = "OpusHead\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff" // 255 channels
	return [][]byte{
		wav(func(h []byte) { le.PutUint32(h[data:], 0xfffffff0); le.PutUint32(h[size:], 0xfffffff0) }),
		wav(func(h []byte) { le.PutUint32(h[rate:], 0xffffffff) }),
		wav(func(h []byte) { le.PutUint16(h[channels:], 0xffff); le.PutUint16(h[block:], 0xffff) }),
		wav(func(h []byte) { le.PutUint16(h[bits:], 0xffff) }),
		wav(func(h []byte) { le.PutUint16(h[block:], 0) }),
		wav(func(h []byte) { le.PutUint32(h[formatSize:], 0xffffffff) }),
		append(append([]byte("RIFF\xff\xff\xff\xffWAVE"), chunk("LIST", 0xffffffff)...), samples...),
		append([]byte("RIFF\xff\xff\xff\xffWAVE"), bytes.Repeat(chunk("junk", 0), 20_000)...),
		endless,
		append([]byte("fLaC"), bytes.Repeat([]byte("\x01\x00\x00\x00"), 50_000)...),                            // blocks of padding
		append([]byte("fLaC\x86\xff\xff\xff"), flac...),                                                        // a picture of 16 MiB
		append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), samples...),                                          // a tag of 256 MiB
		append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), bytes.Repeat([]byte("\xff\xfb\xe4\x00"), 20_000)...), // frames that overlap
		ogg(strings.Repeat("\xff", 127), strings.Repeat("\x00", 127*255)),                                      // a packet without end
		ogg("\x15", opusHead),           // a decoder for 255 channels
		bytes.Repeat(ogg("", ""), 3000), // pages without packets
		append([]byte("\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe"), samples...),                                      // a header of 2^56 bytes
		append([]byte("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff"), bytes.Repeat([]byte("\x1f\x43\xb6\x75\xff"), 20_000)...), // clusters within clusters
	}
}

// trickle (A11) does everything a byte at a time: headers, frames of headers without
// end, bodies, and reading of answers.
func trickle(ctx context.Context, c *client) {
	const (
		every = 500 * time.Millisecond
		body  = "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
	)
	all(
		func() {
			many(ctx, 100, time.Second, func(ctx context.Context) {
				c.drip(ctx, c.httpAddr, "GET /health HTTP/1.1\r\n", "X-A: b\r\n", every)
			})
		},
		func() {
			many(ctx, 100, time.Second, func(ctx context.Context) { c.drip(ctx, c.httpAddr, body, " ", every) })
		},
		func() {
			many(ctx, 100, time.Second, func(ctx context.Context) {
				c.drip(ctx, c.grpcAddr, http2.ClientPreface[:8], http2.ClientPreface[8:], every)
			})
		},
		func() { many(ctx, 50, time.Second, c.endlessHeaders) },
		func() { many(ctx, 50, time.Second, c.sip) },
	)
}

// drip sends the beginning of a request, and then more of it, a byte at a time and
// again and again, until the server ends the connection.
func (c *client) drip(ctx context.Context, address, begin, more string, every time.Duration) {
	conn, hangUp, err := c.connect(ctx, address)
	if err != nil {
		return
	}
	defer hangUp()
	_, err = io.WriteString(conn, begin)
	c.ended(false)
	for i := 0; err == nil && ctx.Err() == nil; i++ {
		_, err = io.WriteString(conn, more[i%len(more):][:1])
		rest(ctx, every)
	}
}

// endlessHeaders begins a request over HTTP/2 whose headers do not end.
func (c *client) endlessHeaders(ctx context.Context) {
	h, hangUp, err := c.openH2(ctx, c.grpcAddr, 65535)
	if err != nil {
		return
	}
	defer hangUp()
	go func() { _, _ = io.Copy(io.Discard, h.conn) }()
	_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
	c.ended(false)
	for err == nil && ctx.Err() == nil {
		err = h.flush()
		_ = h.framer.WriteContinuation(1, false, []byte("\x00\x01a\x01b"))
		rest(ctx, 20*time.Millisecond)
	}
}

// sip asks for a long answer and reads a byte of it each second.
func (c *client) sip(ctx context.Context) {
	conn, hangUp, err := c.connect(ctx, c.httpAddr)
	if err != nil {
		return
	}
	defer hangUp()
	_, err = fmt.Fprint(conn, "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
	c.ended(false)
	for err == nil && ctx.Err() == nil {
		_, err = io.CopyN(io.Discard, conn, 1)
		rest(ctx, time.Second)
	}
}
