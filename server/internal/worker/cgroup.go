package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

const (
	cgroupMount  = "/sys/fs/cgroup"
	cgroupPrefix = "modelgateway-worker-"
	cgroupLeaf   = "modelgateway-server"
)

// cgroupParent is the cgroup in which cgroups for workers are created: one of
// version 2 that is delegated to the server (systemd's Delegate=yes, or a container
// that may write its own), or a writable memory controller of version 1.
type cgroupParent struct {
	dir     string
	unified bool
	next    atomic.Int64
}

// findCgroupParent returns the parent, or why there is none. It creates a cgroup as
// a test, so that the start of a worker does not fail later.
func findCgroupParent() (*cgroupParent, error) {
	p := &cgroupParent{unified: cgroups.IsCgroup2UnifiedMode()}
	var err error
	if p.unified {
		p.dir, err = delegatedCgroup()
	} else {
		p.dir, err = cgroups.GetOwnCgroupPath("memory")
	}
	if err != nil {
		return nil, err
	}
	p.removeStale()
	probe, err := p.make(1 << 30)
	if err != nil {
		return nil, err
	}
	return p, probe.remove()
}

// delegatedCgroup returns the server's own cgroup of version 2 and enables the
// memory controller for its children. The kernel allows no process in a cgroup
// that has such children, so the server moves into a leaf.
func delegatedCgroup() (string, error) {
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cgroupMount, own[""])
	if filepath.Base(dir) == cgroupLeaf { // an earlier host of this process moved
		return filepath.Dir(dir), nil
	}
	pids, err := cgroups.GetPids(dir)
	if err != nil {
		return "", err
	}
	if !slices.Equal(pids, []int{os.Getpid()}) {
		return "", errors.New("other processes share the server's cgroup")
	}
	leaf := filepath.Join(dir, cgroupLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if err := cgroups.WriteCgroupProc(leaf, os.Getpid()); err != nil {
		return "", err
	}
	return dir, cgroups.WriteFile(dir, "cgroup.subtree_control", "+memory")
}

// removeStale removes the cgroups of a server that was killed. The kernel refuses
// to remove cgroups in use.
func (p *cgroupParent) removeStale() {
	stale, err := filepath.Glob(filepath.Join(p.dir, cgroupPrefix+"*"))
	if err != nil {
		return // the pattern is valid
	}
	for _, dir := range stale {
		_ = os.Remove(dir)
	}
}

// cgroup limits the memory of one worker.
type cgroup struct{ manager cgroups.Manager }

// make creates a cgroup with a hard limit.
func (p *cgroupParent) make(limitBytes int64) (*cgroup, error) {
	name := cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(p.next.Add(1), 10)
	dir := filepath.Join(p.dir, name)
	config := &cgroups.Cgroup{Resources: &cgroups.Resources{Memory: limitBytes}}
	c := &cgroup{}
	if p.unified {
		// The same limit for memory and for memory with swap: no swap.
		config.MemorySwap = limitBytes
		m, err := fs2.NewManager(config, dir)
		if err != nil {
			return nil, err
		}
		c.manager = m
	} else {
		m, err := fs.NewManager(config, map[string]string{"memory": dir})
		if err != nil {
			return nil, err
		}
		c.manager = m
	}
	// Not the manager's Apply: for version 2 it would enable controllers in all
	// cgroups above, which do not belong to the server.
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create a cgroup: %w", err)
	}
	if err := c.manager.Set(config.Resources); err != nil {
		return nil, errors.Join(fmt.Errorf("set the limit of a cgroup: %w", err), c.remove())
	}
	return c, nil
}

func (c *cgroup) add(pid int) error { return c.manager.AddPid("", pid) }

// remove removes the cgroup; it must be empty.
func (c *cgroup) remove() error {
	if c == nil {
		return nil
	}
	return c.manager.Destroy()
}
