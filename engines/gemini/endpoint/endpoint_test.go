package endpoint_test

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/gemini/endpoint"
)

func TestCheck(t *testing.T) {
	for url, fine := range map[string]bool{
		endpoint.Default: true, "https://proxy.example.org:8443/gemini": true,
		"http://127.0.0.1:1234": true, "http://localhost": true, "http://[::1]:99": true,
		"": false, "api.example.org": false, "http://api.example.org": false, "http://127.0.0.1.example.org": false,
		"ftp://127.0.0.1": false, "https://": false, "https://:443": false,
		"https://user:pass@example.org": false, "https://example.org?key=1": false, "https://example.org/#k": false,
	} {
		if err := endpoint.Check(url); (err == nil) != fine {
			t.Errorf("%q: %v", url, err)
		}
	}
}
