package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// probeTimeout bounds the question whether a server runs already.
const probeTimeout = time.Second

func checkConfiguration(cfg *config.Config) []finding {
	findings := []finding{ok("configuration", "%d models, %d tasks", len(cfg.Models), len(cfg.Tasks))}
	for _, w := range cfg.Warnings {
		findings = append(findings, warn("configuration", "", "%s", w))
	}
	return findings
}

// checkDirectories tells whether the state can be written and the models read.
func checkDirectories(cfg *config.Config) []finding {
	state := ok("state directory", "%s can be written", cfg.StateDir)
	if err := writable(cfg.StateDir); err != nil {
		state = fail("state directory", "Give this user the folder, or name another with --state-dir.", "%s", oneLine(err))
	}
	dir, err := filepath.Abs(cfg.ModelsDir)
	if err != nil {
		dir = cfg.ModelsDir
	}
	models := ok("models directory", "%s can be read", dir)
	switch _, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		models = warn("models directory", "Make it and put models there, or name another with --models-dir; starter models need none.", "%s does not exist", dir)
	case err != nil:
		models = fail("models directory", "Let this user read the folder, or name another with --models-dir.", "%s", oneLine(err))
	}
	return []finding{state, models}
}

// writable makes a file in the folder, or in the nearest folder above it that
// exists, and takes it away again.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		break
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkMemory compares the budget with what the machine has to give now.
func checkMemory(cfg *config.Config) []finding {
	budget := cfg.MemoryBudgetBytes()
	free, err := availableBytes()
	switch {
	case err != nil:
		return []finding{warn("memory", "", "the budget is %s; the machine's memory cannot be read: %s", size(budget), oneLine(err))}
	case free < budget:
		return []finding{warn("memory", "Lower MAX_MEMORY_MB, or end other programs: models would be refused memory that is not there.",
			"the budget is %s, the machine has %s left", size(budget), size(free))}
	}
	return []finding{ok("memory", "the budget is %s, the machine has %s left", size(budget), size(free))}
}

// availableBytes is the memory that programs can still take without swapping.
func availableBytes() (int64, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	info, err := proc.Meminfo()
	if err != nil {
		return 0, err
	}
	if info.MemAvailableBytes == nil {
		return 0, errors.New("the kernel does not tell")
	}
	return int64(*info.MemAvailableBytes), nil
}

// checkKey tells whether there is a key, never what it is.
func checkKey(cfg *config.Config) finding {
	if cfg.Gemini.APIKey == "" {
		return warn("GEMINI_API_KEY", "Set it if the cloud may answer when this machine cannot; nothing leaves the machine without it.", "not set: there is no cloud fallback")
	}
	return ok("GEMINI_API_KEY", "set (not checked with Google)")
}

// checkPorts tells whether the addresses are free, or a server of ours has them.
func checkPorts(ctx context.Context, cfg *config.Config) []finding {
	if version, err := runningVersion(ctx, cfg.GRPCListen); err == nil {
		return []finding{ok("server", "version %s runs at %s", version, cfg.GRPCListen), checkFallbacks(ctx, cfg)}
	}
	return []finding{
		checkAddress(ctx, "gRPC address", "--grpc-listen", cfg.GRPCListen),
		checkAddress(ctx, "HTTP address", "--http-listen", cfg.HTTPListen),
	}
}

func checkAddress(ctx context.Context, check, flag, address string) finding {
	network, addr := config.SplitListen(address)
	if network == "unix" {
		if err := writable(filepath.Dir(addr)); err != nil {
			return fail(check, "Name another with "+flag+".", "%s", oneLine(err))
		}
		return ok(check, "%s", address)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, network, addr)
	if err != nil {
		return fail(check, "End the program that has it, or choose another with "+flag+".", "%s", oneLine(err))
	}
	_ = listener.Close()
	return ok(check, "%s is free", address)
}

func runningVersion(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client, err := modelgateway.New(reachable(address))
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Close() }()
	res, err := client.Status(ctx, &gatewayv1.StatusRequest{})
	return res.GetVersion(), err
}

// reachable makes of a listen address one to call: nobody is at 0.0.0.0.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.HasPrefix(address, "unix:") {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}
