package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// killGateway kills the gateway and starts it again.
func killGateway(e *episode) (func(), error) { return nil, e.restart(syscall.SIGKILL) }

// restart ends the gateway with a signal, checks what it left, and starts it again.
func (e *episode) restart(sig syscall.Signal) error {
	e.rideAlong()
	time.Sleep(time.Duration(e.random.IntN(20_000)) * time.Microsecond)
	g := e.gateway.Load()
	g.signal(sig)
	select {
	case <-g.exited:
	case <-time.After(calls.Patience):
		e.violate("the gateway did not end on %v", sig)
		g.signal(syscall.SIGKILL)
		<-g.exited
	}
	g.close()
	e.checkState()
	return e.start()
}

// killTwice kills the gateway, and the next one while it starts.
func killTwice(e *episode) (func(), error) {
	g := e.gateway.Load()
	g.signal(syscall.SIGKILL)
	<-g.exited
	g.close()
	cmd := exec.Command(e.program, "serve", "--config", filepath.Join(e.dir, "config.yaml"))
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(e.dir, "t"), "RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR=")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(time.Duration(e.random.IntN(150)) * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	e.checkState()
	return nil, e.start()
}

// cutOffKeys kills the command that changes the file of keys, and the gateway.
func cutOffKeys(e *episode) (func(), error) {
	state := filepath.Join(e.dir, "state")
	for range 3 {
		cmd := exec.Command(e.program, "keys", "add", fmt.Sprintf("extra-%d", e.random.Uint32()), "--state-dir", state)
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(e.random.IntN(60_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return nil, e.restart(syscall.SIGKILL)
}

// leaveFutureRecords lets the next gateway find records of later times, as after a
// clock that was set back.
func leaveFutureRecords(e *episode) (func(), error) {
	g := e.gateway.Load()
	g.signal(syscall.SIGKILL)
	<-g.exited
	g.close()
	e.checkState()
	later := time.Now().AddDate(5, 0, 0)
	err := filepath.WalkDir(filepath.Join(e.dir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var record map[string]any
		if json.Unmarshal(text, &record) != nil {
			return nil // checkState tells
		}
		if _, is := record["updated"]; is {
			record["updated"] = later.Format(time.RFC3339Nano)
		}
		if text, err = json.Marshal(record); err != nil {
			return err
		}
		return errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, later, later))
	})
	if err != nil {
		return nil, err
	}
	return nil, e.start()
}

// mostTemporary is how many unfinished files may be in the state folder: those of the
// program that was killed last, and of keys, which the next change of them removes.
const mostTemporary = 8

// checkState checks that a gateway which has ended left no file that is cut off, and
// that the file of keys can be read and has the key of the clients.
func (e *episode) checkState() {
	temporary := 0
	err := filepath.WalkDir(filepath.Join(e.dir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") || filepath.Ext(d.Name()) == ".tmp" {
			temporary++
			return nil
		}
		if filepath.Ext(path) != ".json" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && !json.Valid(text) {
			e.violate("the gateway left %s cut off: %q", path, text)
		}
		return err
	})
	if err != nil {
		e.violate("the state folder cannot be read: %v", err)
	}
	if temporary > mostTemporary {
		e.violate("%d unfinished files are in the state folder", temporary)
	}
	out, err := exec.Command(e.program, "keys", "list", "--state-dir", filepath.Join(e.dir, "state")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("driver")) {
		e.violate("the file of keys: %v: %s", err, out)
	}
}
