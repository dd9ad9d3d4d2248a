package cli

import (
	"os"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// serverFlags are the settings of a server that flags can give; they go above
// the environment and the configuration file.
type serverFlags struct {
	Config               string  `short:"c" placeholder:"FILE" help:"Configuration file (YAML). Default: $$MODELGATEWAY_CONFIG, else the built-in configuration."`
	GRPCListen           *string `name:"grpc-listen" placeholder:"HOST:PORT" help:"gRPC address. Default: 127.0.0.1:50051."`
	HTTPListen           *string `name:"http-listen" placeholder:"HOST:PORT" help:"HTTP address. Default: 127.0.0.1:8001."`
	ModelsDir            *string `placeholder:"DIR" help:"Where relative model paths start."`
	StateDir             *string `placeholder:"DIR" help:"Where learned sizes and the starter models are kept."`
	EnginesDir           *string `placeholder:"DIR" help:"Where engine programs are looked for first."`
	MaxMemoryMB          *int64  `name:"max-memory-mb" placeholder:"MIB" help:"Memory of all models together, in MiB."`
	Device               *string `placeholder:"DEVICE" help:"auto, cpu, cuda or mps."`
	LogLevel             *string `placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat            *string `placeholder:"FORMAT" help:"auto, json or text."`
	AllowUnauthenticated *bool   `help:"Permit addresses that other machines can reach, without authentication."`
}

// load reads the configuration that the flags point to and complete.
func (f serverFlags) load() (*config.Config, error) {
	return config.Load(config.Source{
		File:    f.Config,
		Environ: os.Environ(),
		Flags: config.Overrides{
			GRPCListen: f.GRPCListen, HTTPListen: f.HTTPListen, ModelsDir: f.ModelsDir, StateDir: f.StateDir,
			EnginesDir: f.EnginesDir, MaxMemoryMB: f.MaxMemoryMB, Device: f.Device,
			LogLevel: f.LogLevel, LogFormat: f.LogFormat, AllowUnauthenticated: f.AllowUnauthenticated,
		},
	})
}
