package httpserver

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A stream that is refused is answered at once, whether its client goes on to send
// messages, which nobody receives, or is silent.
func TestStreamsAreRefusedWhileTheirClientSends(t *testing.T) {
	url := serve(t, func(o *Options) {
		o.GRPC = grpc.NewServer(grpc.MaxRecvMsgSize(8<<20), ServerOption())
		o.bodyReadTimeout = time.Minute
	})
	config, err := proto.Marshal(&gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{Model: "nobody"}}})
	if err != nil {
		t.Fatal(err)
	}
	first := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(config))), config...) //nolint:gosec // small
	piece := append([]byte{0, 0, 1, 0, 0}, make([]byte, 64<<10)...)
	piece[5], piece[6], piece[7], piece[8] = 0x12, 0xfc, 0xff, 3 // audio of 65,532 bytes
	var calls sync.WaitGroup
	defer calls.Wait()
	for name, sent := range map[string][]byte{"silence": first, "more": append(bytes.Clone(first), bytes.Repeat(piece, 20)...)} {
		for _, media := range []string{"application/grpc-web+proto", "application/connect+proto", "application/grpc"} {
			for _, http2 := range []bool{false, true} {
				if media == "application/grpc" && !http2 {
					continue
				}
				calls.Go(func() {
					var protocols http.Protocols
					protocols.SetHTTP1(!http2)
					protocols.SetUnencryptedHTTP2(http2)
					client := &http.Client{Transport: &http.Transport{Protocols: &protocols}, Timeout: 20 * time.Second}
					body, upload := io.Pipe()
					go func() { _, _ = upload.Write(sent) }()
					req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url+gatewayv1.ModelGatewayService_Transcribe_FullMethodName, body)
					req.Header.Set("Content-Type", media)
					req.Header.Set("Te", "trailers")
					if media == "application/connect+proto" {
						req.Header.Set("Connect-Protocol-Version", "1")
					}
					resp, err := client.Do(req)
					var text []byte
					if err == nil {
						text, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
					if err != nil || !bytes.Contains(text, []byte("no such model")) && resp.Trailer.Get("Grpc-Message")+resp.Header.Get("Grpc-Message") != "no such model" {
						t.Errorf("%s, %s, HTTP/2 %t: %v %q", name, media, http2, err, text)
					}
					_ = upload.Close()
				})
			}
		}
	}
}
