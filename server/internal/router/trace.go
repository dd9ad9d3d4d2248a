package router

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// startSpan begins a part of the call's span, if the call has one.
func startSpan(ctx context.Context, name, model string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, parent
	}
	return parent.TracerProvider().Tracer("modelgateway").Start(ctx, name,
		trace.WithAttributes(attribute.String("modelgateway.model", model)))
}

// endSpan ends what startSpan began. Only the reason of an error is told: its
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
