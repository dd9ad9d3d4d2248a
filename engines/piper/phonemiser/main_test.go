package phonemiser

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

// role is an environment variable that makes the test program another one. With
// "fragile" it is a child that crashes on texts with crash or an anchor and hangs on
// texts with hang. With "parent" it starts such a child and makes it hang.
const role = "MG_TEST_PHONEMISER"

const (
	crash = "crashme"
	hang  = "hangme"
)

func TestMain(m *testing.M) {
	switch {
	case IsChild() && os.Getenv(role) != "":
		os.Exit(serve(os.Stdin, os.NewFile(responsesFD, "responses"), openFragile))
	case IsChild():
		os.Exit(Serve())
	case os.Getenv(role) == "parent":
		runParent()
	}
	os.Exit(m.Run())
}

func openFragile() (translate, error) {
	library, err := openLibrary()
	return func(r request) ([]phonemes.Translation, error) {
		switch {
		case strings.Contains(r.Text, crash), strings.Contains(r.Text, "⚓"):
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case strings.Contains(r.Text, hang):
			select {}
		}
		return library(r)
	}, err
}

// runParent starts a child, prints its process id, makes it hang, and waits to be
// killed.
func runParent() {
	c, err := startChild(time.Minute, role+"=fragile")
	if err != nil {
		panic(err)
	}
	fmt.Println(c.cmd.Process.Pid)
	_, err = c.exchange(request{Voice: "en-us", Text: hang}, time.Hour)
	panic(err)
}
