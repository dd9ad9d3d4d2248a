package api

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/lexilingo/modelgateway/engines/errs"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Validator checks requests against the rules in the proto. A message's rules are
// compiled when it is first seen.
type Validator struct{ validator protovalidate.Validator }

// NewValidator returns a validator.
func NewValidator() (*Validator, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("cannot prepare request validation: %w", err)
	}
	return &Validator{validator: validator}, nil
}

// checkReceived checks a message as the server received it, which may be one that
// the codec could not read.
func (v *Validator) checkReceived(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	if err := unreadable(msg); err != nil {
		return err
	}
	return v.Check(msg)
}

// maxViolations is how many violations an error names.
const maxViolations = 10

// Check checks a message. Its error, INVALID_REQUEST, names the fields that break a
// rule.
func (v *Validator) Check(msg proto.Message) error {
	err := v.validator.Validate(msg, protovalidate.WithFailFast())
	if err != nil && !hasLongList(msg) {
		err = v.validator.Validate(msg)
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	var fields, descriptions []string
	for i, violation := range invalid.Violations {
		if i == maxViolations {
			descriptions = append(descriptions, fmt.Sprintf("and %d more", len(invalid.Violations)-i))
			break
		}
		field, message := protovalidate.FieldPathString(violation.Proto.GetField()), violation.Proto.GetMessage()
		if f := violation.FieldDescriptor; f != nil && f.Enum() != nil {
			message = "use " + errs.EnumValues(f.Enum())
		}
		if field == "" {
			descriptions = append(descriptions, message)
			continue
		}
		fields = append(fields, field)
		descriptions = append(descriptions, field+": "+message)
	}
	return errs.New(errs.InvalidRequest, "%s", strings.Join(descriptions, "; ")).With("fields", strings.Join(fields, ","))
}

// hasLongList reports whether a list of a message is so long that it would take long
// to find every violation.
func hasLongList(msg proto.Message) bool {
	long := false
	msg.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		long = f.IsList() && v.List().Len() > 1000
		return !long
	})
	return long
}
