package server

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestMalformedPaths checks that a :path that is not exactly the name of a method
// reaches no method, with no key and with one that lacks the role.
func TestMalformedPaths(t *testing.T) {
	g := startWithRoles(t)
	unload := strings.TrimPrefix(gatewayv1.ModelAdminService_UnloadModel_FullMethodName, "/")
	for _, path := range []string{unload, "//" + unload, "/" + unload + "/", "/" + unload + "?a", "/%6D" + unload[1:], "/x/../" + unload, "*"} {
		for _, key := range []string{"", g.keys["infer"], g.keys["all"]} {
			if code := rawCall(t, g.GRPCAddr().String(), path, key); code == "0" {
				t.Errorf("%q was served", path)
			}
		}
	}
	if code := rawCall(t, g.GRPCAddr().String(), "/"+unload, g.keys["all"]); code == "" || code == "16" || code == "7" {
		t.Errorf("the right path: status %q", code)
	}
}

// rawCall sends an empty message over HTTP/2 to a path that clients would not send,
// and returns the gRPC status of the answer, empty if there is none.
func rawCall(t *testing.T, address, path, key string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"authorization", "Bearer " + key},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	for _, err := range []error{
		framer.WriteSettings(),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}),
		framer.WriteData(1, true, make([]byte, 5)),
	} {
		if err != nil {
			return ""
		}
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return ""
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				if field.Name == "grpc-status" {
					return field.Value
				}
			}
			if f.StreamEnded() {
				return ""
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		}
	}
}
