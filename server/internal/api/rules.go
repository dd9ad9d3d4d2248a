package api

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/lexilingo/modelgateway/engines/errs"
	"google.golang.org/protobuf/proto"
)

// Rules are those that the proto states for requests. A message's rules are
// compiled when it is first seen.
type Rules struct{ validator protovalidate.Validator }

// NewRules makes them.
func NewRules() (*Rules, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("cannot prepare request validation: %w", err)
	}
	return &Rules{validator: validator}, nil
}

// check holds to its rules what the server received.
func (r *Rules) check(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	if err := unreadable(msg); err != nil {
		return err
	}
	return r.Check(msg)
}

// Check holds a message to its rules. Its INVALID_REQUEST names every field that
// breaks one.
func (r *Rules) Check(msg proto.Message) error {
	err := r.validator.Validate(msg)
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	fields := make([]string, 0, len(invalid.Violations))
	whats := make([]string, 0, len(invalid.Violations))
	for _, v := range invalid.Violations {
		field := protovalidate.FieldPathString(v.Proto.GetField())
		if field == "" {
			whats = append(whats, v.Proto.GetMessage())
			continue
		}
		fields = append(fields, field)
		whats = append(whats, field+": "+v.Proto.GetMessage())
	}
	return errs.New(errs.InvalidRequest, "%s", strings.Join(whats, "; ")).With("fields", strings.Join(fields, ","))
}
