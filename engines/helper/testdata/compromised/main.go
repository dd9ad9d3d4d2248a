// Program compromised is a helper that does what it is told: what a real one would try
// if what it decodes had taken it over.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/engines/helper"
)

func main() {
	for {
		order, err := helper.ReadFrame(os.Stdin)
		if err != nil {
			os.Exit(0)
		}
		if err := helper.WriteFrame(os.Stdout, []byte(try(string(order)))); err != nil {
			os.Exit(1)
		}
	}
}

// try does something that is refused, and returns the error, or "done".
func try(order string) string {
	kind, what, _ := strings.Cut(order, "=")
	var err error
	switch kind {
	case "read":
		_, err = os.ReadFile(what)
	case "write":
		err = os.WriteFile(what, []byte("written"), 0o600)
	case "tcp", "unix":
		_, err = net.Dial(kind, what)
	case "pair":
		_, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	case "signal":
		err = syscall.Kill(os.Getppid(), 0)
	case "grow":
		_, err = unix.Mmap(-1, 0, 2<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	case "open":
		for err == nil {
			_, err = unix.Open(os.DevNull, unix.O_RDONLY, 0)
		}
	case "environment":
		return strings.Join(os.Environ(), " ")
	case "fail":
		fmt.Fprint(os.Stderr, "no memory"+strings.Repeat("!", 100_000))
		os.Exit(3)
	case "huge":
		_, _ = os.Stdout.Write([]byte{0xff, 0xff, 0xff, 0xff})
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	}
	if err == nil {
		return "done"
	}
	return err.Error()
}
