package whispercpp

import (
	"reflect"
	"testing"
)

// TestParamsHaveEveryOption checks that each option changes what whisper.cpp gets.
func TestParamsHaveEveryOption(t *testing.T) {
	// The default parameters do not depend on the model.
	s := &State{model: &Model{}}
	params := func(o Options) any {
		p, free := s.params(o)
		t.Cleanup(free)
		return p
	}
	// With a beam size above 1, both beam_size and best_of have an effect.
	base := Options{BeamSize: 2, BestOf: 2}
	plain := params(base)
	for i := range reflect.TypeFor[Options]().NumField() {
		changed := base
		field := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Int:
			field.SetInt(field.Int() + 1)
		case reflect.Float32:
			field.SetFloat(field.Float() + 1)
		case reflect.String:
			field.SetString("text")
		default:
			t.Fatalf("add the kind %v to the test", field.Kind())
		}
		if reflect.DeepEqual(params(changed), plain) {
			t.Errorf("%s does not change the parameters of whisper.cpp", reflect.TypeFor[Options]().Field(i).Name)
		}
	}
}
