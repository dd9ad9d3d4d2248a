package paramtest

import (
	"fmt"
	"reflect"
	"testing"
)

// PassedOn changes each field of defaults, a struct of parameters, and checks that the
// result of use differs: that the parameter is passed on. elsewhere has the names of the
// fields that use does not depend on, and says where they are used.
func PassedOn[P any](t *testing.T, defaults P, use func(P) any, elsewhere map[string]string) {
	t.Helper()
	for _, problem := range problems(defaults, use, elsewhere) {
		t.Error(problem)
	}
}

func problems[P any](defaults P, use func(P) any, elsewhere map[string]string) []string {
	var found []string
	plain := use(defaults)
	fields := reflect.TypeFor[P]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		parameters := defaults
		change(reflect.ValueOf(&parameters).Elem().Field(i))
		differs := !reflect.DeepEqual(use(parameters), plain)
		where, listed := elsewhere[name]
		switch {
		case !differs && !listed:
			found = append(found, fmt.Sprintf("the parameter %s is not passed on", name))
		case differs && listed:
			found = append(found, fmt.Sprintf("the parameter %s is passed on; the test says that it is used elsewhere: %s", name, where))
		}
	}
	for name := range elsewhere {
		if _, ok := fields.FieldByName(name); !ok {
			found = append(found, fmt.Sprintf("the test names the parameter %s, which does not exist", name))
		}
	}
	return found
}

// change gives a field another value, which need not be a valid one.
func change(field reflect.Value) {
	switch field.Kind() {
	case reflect.Bool:
		field.SetBool(!field.Bool())
	case reflect.Int:
		field.SetInt(field.Int() + 1)
	case reflect.Float32, reflect.Float64:
		field.SetFloat(field.Float() + 1)
	case reflect.String:
		field.SetString(field.String() + "x")
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		change(field.Elem())
	default:
		panic(fmt.Sprintf("change does not support a field of the kind %v", field.Kind()))
	}
}
