package modelgateway_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A chat request, with a deadline. The server of these examples always answers the same.
func Example() {
	client, err := modelgateway.New("") // $MODELGATEWAY_ADDR, or 127.0.0.1:50051
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := client.Chat(ctx, &gatewayv1.ChatRequest{Messages: modelgateway.User("Hello, how are you?")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.TrimSpace(answer.GetMessage().GetContent()))
	fmt.Println("answered by", answer.GetServedBy().GetModel())
	// Output:
	// The quick brown fox jumps over the lazy dog.
	// answered by tutor
}

// The answer arrives piece by piece. Leaving the loop cancels the call.
func ExampleStream() {
	client, err := modelgateway.New("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	request := &gatewayv1.StreamChatRequest{Messages: modelgateway.User("Tell me about foxes.")}
	for piece, err := range modelgateway.Stream(context.Background(), client.StreamChat, request) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece.GetDelta())
	}
	// Output: The quick brown fox jumps over the lazy dog.
}

// A session transcribes speech while it is spoken. It survives a broken connection, and
// the loss of its server if there is another one.
func ExampleClient_OpenSession() {
	client, err := modelgateway.New("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	ctx := context.Background()
	session, err := client.OpenSession(ctx, &gatewayv1.TranscriptionConfig{
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: 16000},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	go func() {
		for audio := range microphone() {
			if err := session.Push(ctx, audio); err != nil {
				return // the events end with the error
			}
		}
		_ = session.Finish(ctx)
	}()
	for event, err := range session.Events() {
		if err != nil {
			log.Fatal(err)
		}
		if segment := event.GetSegment(); segment != nil {
			fmt.Println(segment.GetEnd().AsDuration(), segment.GetText())
		}
	}
	fmt.Println(session.Transcript().GetText())
	// Output:
	// 500ms 1 2 3 4 5
	// 800ms 6 7 8
	// 1 2 3 4 5 6 7 8
}

// microphone returns audio as it comes from a microphone.
func microphone() <-chan []byte {
	audio := make(chan []byte)
	go func() {
		defer close(audio)
		pieces, _ := numbers(8)
		for _, piece := range pieces {
			audio <- piece
		}
	}()
	return audio
}

// The reason of an error says what to do; the message is for people.
func ExampleError() {
	client, err := modelgateway.New("", modelgateway.WithRetry(modelgateway.Retry{Attempts: 3, MaxWait: 10 * time.Second}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	_, err = client.Grammar(context.Background(), &gatewayv1.GrammarRequest{Text: "She have two book.", Model: "big"})
	var failed *modelgateway.Error
	switch {
	case errors.Is(err, modelgateway.ErrModelNotFound) && errors.As(err, &failed):
		fmt.Println(failed.Message)
	case errors.Is(err, modelgateway.ErrQueueFull), errors.Is(err, modelgateway.ErrUnreachable):
		fmt.Println("try again later")
	}
	// Output: no model "big" is configured
}

// All calls of a conversation reach the same server, if a proxy in front of several
// servers looks at mg-affinity: that server has computed the conversation's beginning.
func ExampleConversation() {
	client, err := modelgateway.New("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()

	ctx := modelgateway.Conversation(context.Background(), "lesson 7 of Lan")
	conversation := modelgateway.User("Hello")
	for _, text := range []string{"I am Lan.", "Goodbye."} {
		answer, err := client.Chat(ctx, &gatewayv1.ChatRequest{Messages: conversation})
		if err != nil {
			log.Fatal(err)
		}
		conversation = append(conversation, answer.GetMessage())
		conversation = append(conversation, modelgateway.User(text)...)
	}
	fmt.Println(len(conversation), "messages")
	// Output: 5 messages
}
