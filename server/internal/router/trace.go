package router

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// startSpan starts a child of the call's span, if the call is traced.
func startSpan(ctx context.Context, name, model string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, parent
	}
	return parent.TracerProvider().Tracer("modelgateway").Start(ctx, name,
		trace.WithAttributes(attribute.String("modelgateway.model", model)))
}

// endSpan ends a span of startSpan. It records only the reason of an error: the
// message may quote the caller.
func endSpan(span trace.Span, err error) {
	if !span.IsRecording() {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, errs.ReasonName(errs.ReasonOf(err)))
	}
	span.End()
}
