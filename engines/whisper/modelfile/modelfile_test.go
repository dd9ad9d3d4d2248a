package modelfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const starter = "../../../models/starter/whisper.bin"

func TestStarter(t *testing.T) {
	h, err := Check(starter)
	if err != nil {
		t.Fatal(err)
	}
	if h.Width != 192 || h.EncoderLayers != 4 || h.DecoderLayers != 3 || h.Mels != 80 || h.Vocabulary != englishVocabulary ||
		h.WeightsAt <= 0 || h.WeightsAt >= h.Size {
		t.Errorf("the header is %+v", h)
	}
	if read, err := Read(starter); err != nil || read != h {
		t.Errorf("Read returns %+v, %v", read, err)
	}
	if err := CheckVAD(starter); errs.ReasonOf(err) != errs.ModelFileInvalid {
		t.Errorf("as a voice activity model: %v", err)
	}
}

// The size of a quantised tensor is that of its blocks.
func TestKinds(t *testing.T) {
	for ftype, bytes := range map[int32]int64{0: 1024, 1: 512, 2: 144, 3: 160, 7: 272, 8: 176, 9: 192, 10: 84, 11: 110, 12: 144, 13: 176, 14: 210} {
		k, ok := kindOf(ftype)
		ts := tensors{}
		if ts.add("x", k, 256); !ok || ts["x"].bytes() != bytes {
			t.Errorf("256 numbers of type %d take %d bytes, want %d", ftype, ts["x"].bytes(), bytes)
		}
	}
	if _, ok := kindOf(4); ok {
		t.Error("type 4 is known")
	}
}

// FuzzCheck checks that damaged files are refused with a MODEL_FILE_INVALID error.
func FuzzCheck(f *testing.F) {
	whole, err := os.ReadFile(starter)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:64])
	f.Add(whole[:70_000])
	f.Add([]byte("lmgg\n\x00\x00\x00silero-16k"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.bin")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(path); errs.ReasonOf(err) != errs.ModelFileInvalid {
			t.Errorf("%d bytes: %v", len(data), err)
		}
		if err := CheckVAD(path); errs.ReasonOf(err) != errs.ModelFileInvalid {
			t.Errorf("%d bytes as a voice activity model: %v", len(data), err)
		}
	})
}
