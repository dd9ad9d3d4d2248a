package gemini

import (
	"google.golang.org/protobuf/types/known/structpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// prebuiltVoices are Gemini's voices. They speak every language of the text.
var prebuiltVoices = []string{
	"Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Aoede", "Autonoe", "Callirrhoe", "Charon", "Despina",
	"Enceladus", "Erinome", "Fenrir", "Gacrux", "Iapetus", "Kore", "Laomedeia", "Leda", "Orus", "Puck",
	"Pulcherrima", "Rasalgethi", "Sadachbia", "Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix", "Zephyr", "Zubenelgenubi",
}

// Voices returns the voices of a model, the default first.
func Voices(from *structpb.Struct) ([]*gatewayv1.Voice, error) {
	p, err := readParameters(from)
	if err != nil {
		return nil, err
	}
	voices := []*gatewayv1.Voice{{Name: p.Voice, Speaker: p.Voice, SampleRateHertz: defaultRate}}
	for _, name := range prebuiltVoices {
		if name != p.Voice {
			voices = append(voices, &gatewayv1.Voice{Name: name, Speaker: name, SampleRateHertz: defaultRate})
		}
	}
	return voices, nil
}
