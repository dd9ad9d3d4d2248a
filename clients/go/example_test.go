package modelgateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A chat request, with a deadline.
func Example() {
	client, err := modelgateway.New(modelgateway.DefaultAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	resp, err := client.Chat(ctx, &gatewayv1.ChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "Hello, how are you?"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetMessage().GetContent())
	fmt.Println("answered by", resp.GetServedBy().GetModel())
}

// The answer arrives piece by piece. The last message says why it ended.
func ExampleClient_StreamChat() {
	client, err := modelgateway.New(modelgateway.DefaultAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	stream, err := client.StreamChat(context.Background(), &gatewayv1.StreamChatRequest{
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: "Count to five."}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(resp.GetDelta())
	}
}

// A whole recording in any supported format.
func ExampleClient_Recognize() {
	client, err := modelgateway.New(modelgateway.DefaultAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	recording, err := os.ReadFile("hello.wav")
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.Recognize(context.Background(), &gatewayv1.RecognizeRequest{Audio: recording})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetTranscript().GetText())
}

// The reason of an error says what to do; the message is for people.
func ExampleErrorOf() {
	client, err := modelgateway.New(modelgateway.DefaultAddress)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	_, err = client.Grammar(context.Background(), &gatewayv1.GrammarRequest{Text: "She have two book."})
	if e := modelgateway.ErrorOf(err); e != nil {
		switch {
		case e.Reason == gatewayv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND:
			log.Fatalf("configure the model %q first", e.Metadata["model"])
		case e.RetryAfter > 0:
			log.Printf("busy; try again in %s", e.RetryAfter)
		default:
			log.Fatal(e)
		}
	}
}
