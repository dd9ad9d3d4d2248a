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

// cgroupParent is where cgroups for workers can be made, if anywhere: version
// 2 delegated to the gateway (systemd's Delegate=yes, a container that may
// write its own), or a writable memory controller of version 1.
type cgroupParent struct {
	dir     string
	unified bool
	next    atomic.Int64
}

// findCgroupParent makes one cgroup for a try, so that a worker's start does
// not find out what does not work.
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

// delegatedCgroup returns the gateway's own cgroup of version 2 with the
// memory controller on for its children. The kernel wants no process in a
// cgroup that has such children, so the gateway moves into a leaf.
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
		return "", errors.New("the cgroup is shared with other processes")
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

// removeStale removes what a gateway left that was killed. Cgroups that are in
// use cannot be removed.
func (p *cgroupParent) removeStale() {
	stale, err := filepath.Glob(filepath.Join(p.dir, cgroupPrefix+"*"))
	if err != nil {
		return // the pattern is well formed
	}
	for _, dir := range stale {
		_ = os.Remove(dir)
	}
}

// cgroup holds one worker to its limit.
type cgroup struct {
	manager cgroups.Manager
	kills   interface{ OOMKillCount() (uint64, error) }
}

// make makes a cgroup with a hard limit.
func (p *cgroupParent) make(limitBytes int64) (*cgroup, error) {
	name := cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(p.next.Add(1), 10)
	dir := filepath.Join(p.dir, name)
	config := &cgroups.Cgroup{Resources: &cgroups.Resources{Memory: limitBytes}}
	c := &cgroup{}
	if p.unified {
		// Equal limits of memory and of memory with swap: no swap.
		config.MemorySwap = limitBytes
		m, err := fs2.NewManager(config, dir)
		if err != nil {
			return nil, err
		}
		c.manager, c.kills = m, m
	} else {
		m, err := fs.NewManager(config, map[string]string{"memory": dir})
		if err != nil {
			return nil, err
		}
		c.manager, c.kills = m, m
	}
	// Not the manager's Apply: for version 2 it would turn on controllers in all
	// cgroups above, which are not ours.
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	if err := c.manager.Set(config.Resources); err != nil {
		return nil, errors.Join(fmt.Errorf("limit a cgroup: %w", err), c.remove())
	}
	return c, nil
}

func (c *cgroup) add(pid int) error { return c.manager.AddPid("", pid) }

// killed tells whether the kernel ended a process at the limit.
func (c *cgroup) killed() bool {
	if c == nil {
		return false
	}
	n, err := c.kills.OOMKillCount()
	return err == nil && n > 0
}

// remove removes the cgroup; it must be empty.
func (c *cgroup) remove() error {
	if c == nil {
		return nil
	}
	return c.manager.Destroy()
}
