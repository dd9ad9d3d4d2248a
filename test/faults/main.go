// Command faults injects faults into gateways that it starts from the built
// programs, while clients use every RPC over every surface. It records what happens
// and checks that every request ends once, with a type and in time, that no process
// is left, that no more memory is charged than the budget, that the reported state is
// right, and that the gateway recovers. It exits with code 1 if that is not so.
//
//	go run ./test/faults [-seed N] [-faults N] [-gateway]   (make soak builds the programs first)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "thaw" {
		exit(thawAtEnd(os.Args[2]))
	}
	if len(os.Args) > 1 && os.Args[1] == driveArgument {
		exit(drive(os.Args[2:]))
	}
	exit(enterOwnMounts(os.Args[1:]))
}

func exit(err error) {
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// driveArgument is the first argument of the process that makes the faults.
const driveArgument = "drive"

// self is the path of this program.
func self() string { return "/proc/self/exe" }

// enterOwnMounts runs the program again, as root with mounts of its own, so that none
// is left whatever happens.
func enterOwnMounts(args []string) error {
	cmd := exec.Command(self(), append([]string{driveArgument}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if ownMounts() {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	}
	signal.Ignore(os.Interrupt) // the other process gets it too
	return cmd.Run()
}

func ownMounts() bool { return os.Geteuid() == 0 }

var errViolations = errors.New("the gateway did not keep what it promises")

// drive is the main function of the process that makes the faults.
func drive(args []string) error {
	o := options{}
	flags := flag.NewFlagSet("faults", flag.ExitOnError)
	bin := flags.String("bin", "bin", "folder of the built programs")
	flags.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of the faults") //nolint:gosec // after 1970
	flags.IntVar(&o.faults, "faults", 1500, "how many faults")
	flags.IntVar(&o.lanes, "lanes", 4, "how many gateways at once")
	flags.BoolVar(&o.gateway, "gateway", false, "only kill the gateways themselves, and check what they leave")
	flags.StringVar(&o.only, "only", "", "only some kinds of faults, such as \"SIGKILL,full disk\"; with -v the history of each is printed")
	flags.BoolVar(&o.verbose, "v", false, "print each fault")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.program, err = filepath.Abs(filepath.Join(*bin, "modelgateway")); err != nil {
		return err
	}
	o.engine = filepath.Join(filepath.Dir(o.program), "engine-fault")
	o.llama = filepath.Join(filepath.Dir(o.program), "engine-llama")
	if ownMounts() {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("seed %d\n", o.seed)
	n, err := run(ctx, o, os.Stdout)
	if n > 0 {
		err = errors.Join(errViolations, err)
	}
	return err
}
