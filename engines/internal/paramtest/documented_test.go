package paramtest

import (
	"reflect"
	"testing"
)

func TestTable(t *testing.T) {
	got := table("# Text\n\n| voice | file |\n| --- | --- |\n| `x` | 1 |\n\n| parameter | default | |\n| --- | --- | --- |\n" +
		"| `a` | 1 | about |\n| `b`, `c` | 0 (none), `full` | about `d` |\n| `e`, `f` | the voice's | words |\n| `g` | | empty |\n\nText.\n\n| `h` | 2 | |\n")
	want := map[string]string{"a": "1", "b": "0", "c": "full", "e": "the voice's", "f": "the voice's", "g": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLiteral(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{{float32(0.7), "0.7"}, {0.0003, "0.0003"}, {-1, "-1"}, {true, "true"}, {"full", "full"}} {
		if got := literal(reflect.ValueOf(c.value)); got != c.want {
			t.Errorf("%v is %q, want %q", c.value, got, c.want)
		}
	}
}
