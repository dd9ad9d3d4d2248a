package engines

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/internal/suggest"
)

// DecodeParameters decodes a model's parameters into a struct with json tags; into is
// a pointer to it. Fields without a parameter keep their values, so set the defaults
// first. An unknown key and a value of the wrong type are INVALID_REQUEST; the error
// names the known key that is nearest. Nested structs are checked in the same way.
func DecodeParameters(parameters *structpb.Struct, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return errs.New(errs.Internal, "DecodeParameters needs a pointer to a struct, not %T", into)
	}
	if parameters == nil {
		return nil
	}
	if err := checkKeys(parameters, v.Elem().Type(), ""); err != nil {
		return err
	}
	data, err := parameters.MarshalJSON()
	if err != nil {
		return errs.New(errs.InvalidRequest, "the parameters cannot be read: %v", err).WithCause(err)
	}
	err = json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return errs.New(errs.InvalidRequest, "parameter %q must be %s, not %s",
			wrong.Field, kindName(wrong.Type), wrong.Value).With("parameter", wrong.Field).WithCause(err)
	}
	if err != nil {
		return errs.New(errs.InvalidRequest, "the parameters cannot be used: %v", err).WithCause(err)
	}
	return nil
}

// CheckRange returns INVALID_REQUEST if a parameter's value is not in the range from
// lowest to highest, or is NaN.
func CheckRange[T int | float64](parameter string, value, lowest, highest T) error {
	if value >= lowest && value <= highest {
		return nil
	}
	return errs.New(errs.InvalidRequest, "parameter %q must be from %s to %s, not %s",
		parameter, decimal(float64(lowest)), decimal(float64(highest)), decimal(float64(value))).With("parameter", parameter)
}

// CheckOneOf returns INVALID_REQUEST if a parameter's value is none of the given ones.
func CheckOneOf(parameter, value string, values ...string) error {
	if slices.Contains(values, value) {
		return nil
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return errs.New(errs.InvalidRequest, "parameter %q must be one of %s, not %q",
		parameter, strings.Join(quoted, ", "), value).With("parameter", parameter)
}

// decimal formats a number without an exponent.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// checkKeys returns an error for the first key without a field in t. prefix is the
// path to t.
func checkKeys(s *structpb.Struct, t reflect.Type, prefix string) error {
	fields := map[string]reflect.Type{}
	collectFields(t, fields)
	for _, key := range slices.Sorted(maps.Keys(s.GetFields())) {
		field, ok := fields[key]
		if !ok {
			return unknownKey(prefix, key, slices.Sorted(maps.Keys(fields)))
		}
		if nested := s.GetFields()[key].GetStructValue(); nested != nil && field.Kind() == reflect.Struct {
			if err := checkKeys(nested, field, prefix+key+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectFields adds the types of t's fields to a map by their json names. It
// follows pointers and embedded structs.
func collectFields(t reflect.Type, fields map[string]reflect.Type) {
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case name == "" && f.Anonymous && ft.Kind() == reflect.Struct:
			collectFields(ft, fields)
		case name == "":
			fields[f.Name] = ft
		default:
			fields[name] = ft
		}
	}
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

func unknownKey(prefix, key string, known []string) error {
	e := func(format string, args ...any) error {
		return errs.New(errs.InvalidRequest, format, args...).With("parameter", prefix+key)
	}
	if len(known) == 0 {
		return e("unknown parameter %q; the engine has no parameters there", prefix+key)
	}
	if nearest := suggest.Nearest(key, known); nearest != "" {
		return e("unknown parameter %q; did you mean %q?", prefix+key, prefix+nearest)
	}
	return e("unknown parameter %q; use one of %s", prefix+key, strings.Join(known, ", "))
}

// kindName describes a Go type in the terms of YAML.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	default:
		return "a whole number in the range of " + t.String()
	}
}
