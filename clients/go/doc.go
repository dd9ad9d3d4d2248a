// Package modelgateway is the Go client of a ModelGateway server.
//
// A [Client] is one gRPC connection with both services of the API. Its methods take and
// return the messages of package
// [github.com/lexilingo/modelgateway/gen/go/modelgateway/v1].
//
//	client, err := modelgateway.New("", modelgateway.WithTimeout(30*time.Second))
//	…
//	answer, err := client.Chat(ctx, &gatewayv1.ChatRequest{Messages: modelgateway.User("Hello")})
//	switch {
//	case errors.Is(err, modelgateway.ErrQueueFull):
//
// [Stream] reads a stream of answers with range. A [Session] transcribes live speech,
// and continues on another server if it loses the one that it has. Calls have a
// deadline ([WithTimeout]), are retried if the server advises it ([Retry]), and fail
// with an [*Error] that [errors.Is] compares with the reasons, such as [ErrQueueFull].
package modelgateway
