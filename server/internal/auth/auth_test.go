package auth

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

func addKey(t *testing.T, file string, k *Key) string {
	t.Helper()
	key, err := AddKey(file, k, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysFileRemovesWhatAKilledProgramLeft(t *testing.T) {
	dir := t.TempDir()
	left, other := filepath.Join(dir, ".keys.yaml123456"), filepath.Join(dir, ".keys.yaml.swp")
	for _, path := range []string{left, other} {
		if err := os.WriteFile(path, []byte("keys:"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addKey(t, filepath.Join(dir, "keys.yaml"), &Key{Name: "a", Roles: Roles()})
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished file: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a file of another program: %v", err)
	}
}

func TestKeysFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "keys.yaml")
	if _, err := ReadKeys(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	key := addKey(t, file, &Key{Name: "a", Roles: []Role{Infer}, Tasks: []string{"stt"}, Models: []string{"m"}, MaxPriority: "high", Expires: expires})
	addKey(t, file, &Key{Name: "b", Roles: Roles(), Cloud: true})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if secret := key[len("mg_aaaaaaaa_"):]; strings.Contains(string(text), secret) || len(secret) != 52 {
		t.Errorf("the file has the secret of %d characters:\n%s", len(secret), text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	keys, err := ReadKeys(file)
	if err != nil || len(keys) != 2 || keys[0].Name != "a" || keys[0].Tasks[0] != "transcribe" || !keys[0].Expires.Equal(expires) || !keys[1].Cloud {
		t.Fatalf("%+v, %v", keys, err)
	}
	if _, err := AddKey(file, &Key{Name: "a", Roles: Roles()}, time.Now()); err == nil || !strings.Contains(err.Error(), "two keys") {
		t.Errorf("the same name twice: %v", err)
	}
	addKey(t, file, &Key{Name: "12e3", Roles: Roles()}) // a number in YAML, unless quoted
	if k, err := RevokeKey(file, keys[0].ID); err != nil || k.Name != "a" {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := RevokeKey(file, "a"); err == nil || !strings.Contains(err.Error(), "keys list") {
		t.Errorf("revoked twice: %v", err)
	}
	addKey(t, file, &Key{Name: keys[1].ID, Roles: Roles()}) // also the id of b
	if k, err := RevokeKey(file, keys[1].ID); err == nil || !strings.Contains(err.Error(), "whose name is b") {
		t.Errorf("the name of one key and the id of another: %+v, %v", k, err)
	}
	if k, err := RevokeKey(file, "b"); err != nil || k.ID != keys[1].ID {
		t.Errorf("%+v, %v", k, err)
	}
	if k, err := RevokeKey(file, keys[1].ID); err != nil || k.Name != keys[1].ID {
		t.Errorf("by its name, when it is nothing else: %+v, %v", k, err)
	}
}

func TestWrongKeysFiles(t *testing.T) {
	const hash = "hash: a000000000000000000000000000000000000000000000000000000000000000"
	for text, want := range map[string]string{
		"keys: [{id: aaaaaaaa, name: a, roles: [infer], rights: all}]":                     "rights",
		"keys: [{id: aaaaaaaa, name: a, roles: [], " + hash + "}]":                         "no roles",
		"keys: [{id: aaaaaaaa, name: a, roles: [admn], " + hash + "}]":                     `did you mean "admin"`,
		"keys: [{id: aaaaaaaa, name: '../a', roles: [infer], " + hash + "}]":               "letters",
		"keys: [{id: aaaaaaaa, name: a, roles: [infer]}]":                                  "keys add",
		"keys: [{id: A, name: a, roles: [infer], " + hash + "}]":                           "keys add",
		"keys: [{id: aaaaaaaa, name: a, roles: [infer], max_priority: top, " + hash + "}]": "critical",
		"keys: [null]": "empty",
		"keys: {a: b}": "not valid",
		"keys: [" + strings.Repeat("{id: aaaaaaaa, name: a, roles: [infer], "+hash+"}, ", 2) + "]": "two keys",
	} {
		file := filepath.Join(t.TempDir(), "keys.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
}

// TestKeysAddedAtOnce checks that programs that add keys at the same time lose none.
func TestKeysAddedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	var all sync.WaitGroup
	for _, name := range strings.Split("abcdefgh", "") {
		all.Go(func() { addKey(t, file, &Key{Name: name, Roles: Roles()}) })
	}
	all.Wait()
	if keys, err := ReadKeys(file); err != nil || len(keys) != 8 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

// TestKeyExpires checks that a key and its calls end at its time.
func TestKeyExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys.yaml")
		key := addKey(t, file, &Key{Name: "a", Roles: Roles(), Expires: time.Now().Add(time.Minute)})
		a, err := New(config.Auth{KeysFile: file}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		following, stop := context.WithCancel(t.Context())
		go a.Follow(following)
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+key))
		call, end, err := a.Authorize(ctx, gatewayv1.ModelGatewayService_Chat_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		time.Sleep(59 * time.Second)
		if call.Err() != nil {
			t.Error("the call ended before its key")
		}
		time.Sleep(3 * time.Second)
		if errs.ReasonOf(context.Cause(call)) != errs.Unauthenticated {
			t.Errorf("the call ended with %v", context.Cause(call))
		}
		if _, _, err := a.Authorize(ctx, gatewayv1.ModelGatewayService_Chat_FullMethodName); errs.ReasonOf(err) != errs.Unauthenticated {
			t.Errorf("with the expired key: %v", err)
		}
		stop()
		synctest.Wait()
	})
}

// TestUnknownRPC checks that a method without a rule is refused, with and without
// keys.
func TestUnknownRPC(t *testing.T) {
	a, err := New(config.Auth{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, rpc := range []string{"", "/", "modelgateway.v1.ModelGatewayService/Chat", "/modelgateway.v1.ModelGatewayService/Chat/", "/modelgateway.v1.modelgatewayservice/chat"} {
		if _, _, err := a.Authorize(t.Context(), rpc); errs.ReasonOf(err) != errs.Forbidden {
			t.Errorf("%q: %v", rpc, err)
		}
	}
}
