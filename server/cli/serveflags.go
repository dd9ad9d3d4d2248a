package cli

import (
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// serverFlags are the settings of a server that have a flag. Flags override the
// environment and the configuration file.
type serverFlags struct {
	Config               string  `short:"c" placeholder:"FILE" help:"Configuration file (YAML). Default: $$MODELGATEWAY_CONFIG, then the built-in configuration."`
	GRPCListen           *string `name:"grpc-listen" placeholder:"HOST:PORT" help:"Listen address for gRPC. Default: 127.0.0.1:50051."`
	HTTPListen           *string `name:"http-listen" placeholder:"HOST:PORT" help:"Listen address for HTTP. Default: 127.0.0.1:8001."`
	ModelsDir            *string `placeholder:"DIR" help:"Base directory of relative model paths. Default: models, if that exists here, else $$XDG_DATA_HOME/modelgateway/models."`
	StartersOnly         *bool   `help:"Use the starter models even if better models were downloaded."`
	StateDir             *string `placeholder:"DIR" help:"Directory for learned model sizes and the starter models."`
	EnginesDir           *string `placeholder:"DIR" help:"Directory searched first for engine programs."`
	MaxMemoryMB          *int64  `name:"max-memory-mb" placeholder:"MIB" help:"Memory budget of all models together, in MiB."`
	Device               *string `placeholder:"DEVICE" help:"Device for models: auto, cpu, cuda or mps."`
	LogLevel             *string `placeholder:"LEVEL" help:"Log level: debug, info, warn or error."`
	LogFormat            *string `placeholder:"FORMAT" help:"Log format: auto, json or text."`
	KeysFile             *string `placeholder:"FILE" help:"File of API keys (\"modelgateway keys\"). Every caller needs a key then."`
	TLSSelfSigned        *bool   `name:"tls-self-signed" help:"Use TLS with a certificate for this machine, which is made in the state directory. For a first try."`
	AllowUnauthenticated *bool   `help:"Allow listen addresses that other machines can reach, without authentication."`
}

// load loads the configuration file and applies the environment and the flags.
func (f serverFlags) load() (*config.Config, error) {
	if f.KeysFile != nil { // relative to the working directory, as people expect of a flag
		path, err := filepath.Abs(*f.KeysFile)
		if err != nil {
			return nil, err
		}
		f.KeysFile = &path
	}
	return config.Load(config.Source{
		File:    f.Config,
		Environ: os.Environ(),
		Flags: config.Overrides{
			GRPCListen: f.GRPCListen, HTTPListen: f.HTTPListen, ModelsDir: f.ModelsDir, StateDir: f.StateDir,
			StartersOnly: f.StartersOnly,
			EnginesDir:   f.EnginesDir, MaxMemoryMB: f.MaxMemoryMB, Device: f.Device,
			LogLevel: f.LogLevel, LogFormat: f.LogFormat, AllowUnauthenticated: f.AllowUnauthenticated, KeysFile: f.KeysFile, TLSSelfSigned: f.TLSSelfSigned,
		},
	})
}
