package models

import (
	_ "embed"
	"fmt"

	"github.com/goccy/go-yaml"
)

//go:embed starters.yaml
var startersText []byte

// Starter is what applies to a model that is a starter.
type Starter struct {
	// Warning is what callers should know of its answers; empty if there is nothing.
	Warning string `yaml:"warning"`
	// Parameters are those of the model's engine.
	Parameters map[string]any `yaml:"parameters"`
}

// Starters returns what applies to each starter, by file name. A starter that is not in
// it needs nothing.
func Starters() (map[string]Starter, error) {
	starters := map[string]Starter{}
	if err := yaml.UnmarshalWithOptions(startersText, &starters, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("starter models: %w", err)
	}
	return starters, nil
}
