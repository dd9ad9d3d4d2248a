package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Variables of the environment with Gemini's key, or its file.
const (
	apiKeyVariable     = "GEMINI_API_KEY"
	apiKeyFileVariable = "GEMINI_API_KEY_FILE"
)

// credentialsVariable is where systemd tells a service the folder of its credentials,
// and apiKeyCredential is the name of the key in it.
const (
	credentialsVariable = "CREDENTIALS_DIRECTORY"
	apiKeyCredential    = "gemini_api_key"
)

// maxKeyBytes is the most that is read of the file of a key.
const maxKeyBytes = 4 << 10

// SecretVariables returns the variables with secrets. The server removes them from its
// environment when it has read them.
func SecretVariables() []string { return []string{apiKeyVariable, envPrefix + "API_KEY"} }

// setAPIKey replaces the key of the file by that of the environment.
func setAPIKey(c *Config, _ *modelEnv, key string) error {
	c.Gemini.APIKey, c.Gemini.APIKeyFile = key, ""
	return nil
}

func setAPIKeyFile(c *Config, _ *modelEnv, file string) error {
	c.Gemini.APIKey, c.Gemini.APIKeyFile = "", file
	return nil
}

// readAPIKey reads Gemini's key from its file or, if neither a key nor a file is
// configured, from the service's credentials.
func (c *Config) readAPIKey(env map[string]string) error {
	g := &c.Gemini
	credentials := env[credentialsVariable]
	if credentials != "" {
		c.private = append(c.private, credentials)
	}
	if strings.TrimSpace(env[apiKeyVariable]) != "" && strings.TrimSpace(env[apiKeyFileVariable]) != "" {
		return fmt.Errorf("environment variables %s and %s are both set: set only one of them", apiKeyVariable, apiKeyFileVariable)
	}
	switch {
	case g.APIKey != "" && g.APIKeyFile != "":
		return errors.New("gemini.api_key and gemini.api_key_file are both set: set only one of them")
	case g.APIKey != "":
		return nil
	case g.APIKeyFile == "" && credentials != "":
		file := filepath.Join(credentials, apiKeyCredential)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		g.APIKeyFile = file
	case g.APIKeyFile == "":
		return nil
	}
	var err error
	if g.APIKeyFile, err = filepath.Abs(g.APIKeyFile); err != nil {
		return err
	}
	if g.APIKey, err = readKey(g.APIKeyFile); err != nil {
		return fmt.Errorf("gemini.api_key_file (%s): %w", apiKeyFileVariable, err)
	}
	return nil
}

// readKey returns the content of a file without the spaces around it.
func readKey(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("cannot read the key: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	key := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the key: %w", err)
	case key == "":
		return "", fmt.Errorf("%s is empty: write the key into it", name)
	case len(text) > maxKeyBytes:
		return "", fmt.Errorf("%s has more than %d bytes: it must have the key and nothing else", name, maxKeyBytes)
	}
	return key, nil
}
