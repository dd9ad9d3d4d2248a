package width

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// list returns a JSON list of n elements.
func list(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// JSON and the Struct that it makes have the same bound.
func TestJSONAndStructsHaveOneBound(t *testing.T) {
	for name, c := range map[string]struct {
		params string
		wide   bool
	}{
		"few":              {`{"a":[1,2,3]}`, false},
		"one string":       {`{"a":"` + strings.Repeat(`\",[{:`, 100_000) + `"}`, false},
		"backslashes":      {`{"a":"` + strings.Repeat(`\\`, 100_000) + `","b":"\\"}`, false},
		"numbers, many":    {`{"a":` + list(maxValues-10, "0") + `}`, false},
		"numbers":          {`{"a":` + list(maxValues+1, "0") + `}`, true},
		"nulls":            {`{"a":` + list(maxValues+1, "null") + `}`, true},
		"lists":            {`{"a":` + list(maxValues/2+1, "[]") + `}`, true},
		"objects":          {`{"a":` + list(maxValues/2+1, "{}") + `}`, true},
		"names":            {"{" + strings.TrimSuffix(strings.Repeat(`"k":0,`, maxValues/2+1), ",") + "}", true},
		"deep":             {`{"a":` + strings.Repeat("[", maxValues+1) + strings.Repeat("]", maxValues+1) + `}`, true},
		"strings, escapes": {`{"a":` + list(maxValues+1, `"\\\""`) + `}`, true},
	} {
		if err := CheckJSON([]byte(c.params)); (err != nil) != c.wide {
			t.Errorf("%s, JSON: %v", name, err)
		}
		s := &structpb.Struct{}
		switch name {
		case "names": // are not unique
			s.Fields = map[string]*structpb.Value{}
			for i := range maxValues/2 + 1 {
				s.Fields[strings.Repeat("k", i%100)+string(rune('a'+i/100))] = structpb.NewNullValue()
			}
		case "deep":
			v := structpb.NewNullValue()
			for range maxValues/2 + 1 {
				v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
			}
			s.Fields = map[string]*structpb.Value{"a": v}
		default:
			if err := protojson.Unmarshal([]byte(c.params), s); err != nil {
				t.Fatal(name, err)
			}
		}
		req := &gatewayv1.InvokeRequest{ModelName: "m", Method: "x", Params: s}
		data, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckWire(data, req.ProtoReflect().Descriptor()); (err != nil) != c.wide {
			t.Errorf("%s, wire: %v", name, err)
		}
	}
}

// Messages of two bytes count too, and data that is no message does no harm.
func TestWireOfTypedMessages(t *testing.T) {
	chat := (&gatewayv1.ChatRequest{}).ProtoReflect().Descriptor()
	for name, c := range map[string]struct {
		data string
		wide bool
	}{
		"messages":      {strings.Repeat("\x0a\x00", maxValues+1), true},
		"few":           {strings.Repeat("\x0a\x00", maxValues), false},
		"unknown field": {strings.Repeat("\xfa\x7f\x00", maxValues+1), false},
		"group":         {"\x0b\x0a\x00\x0c", false},
		"cut off":       {"\x0a\xff\xff", false},
		"no tag":        {"\xff", false},
	} {
		if err := CheckWire([]byte(c.data), chat); (err != nil) != c.wide {
			t.Errorf("%s: %v", name, err)
		}
	}
}
