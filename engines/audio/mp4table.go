package audio

// mp4Run is samples that follow one another in the file.
type mp4Run struct {
	offset int64 // in the file
	sizes  mp4Sizes
	count  uint32
}

// mp4Sizes are the sizes of samples: all the same, or in a table.
type mp4Sizes struct {
	same   uint32
	table  mp4Bytes // if same is 0
	stride int      // bytes from one size to the next
}

func (s mp4Sizes) at(i uint32) uint32 {
	if s.same != 0 {
		return s.same
	}
	return s.table.u32(int(i) * s.stride)
}

// end returns the offset after the run.
func (r mp4Run) end() int64 {
	if r.sizes.same != 0 {
		return r.offset + int64(r.sizes.same)*int64(r.count)
	}
	end := r.offset
	for i := range r.count {
		end += int64(r.sizes.at(i))
	}
	return end
}

// mp4Table is the table of the samples of a track without fragments. It yields runs,
// which are chunks, and keeps no more than the bytes of the table.
type mp4Table struct {
	sizes   mp4Sizes
	left    uint32 // samples
	sample  uint32 // the next one
	stsc    mp4Bytes
	entry   int // of stsc
	chunk   uint32
	offsets mp4Bytes
	wide    bool // offsets have 8 bytes
}

func newMP4Table(stbl mp4Bytes) mp4Table {
	t := mp4Table{stsc: stbl.find("stsc").from(8), offsets: stbl.find("stco").from(8)}
	if t.offsets == nil {
		t.offsets, t.wide = stbl.find("co64").from(8), true
	}
	stsz := stbl.find("stsz")
	t.sizes = mp4Sizes{same: stsz.u32(4), table: stsz.from(12), stride: 4}
	t.left = stsz.u32(8)
	if t.sizes.same == 0 {
		t.left = min(t.left, uint32(len(t.sizes.table)/4)) //nolint:gosec // of a box of some MiB
	}
	return t
}

// next returns the next chunk. It reports false after the last.
func (t *mp4Table) next() (mp4Run, bool) {
	const entryBytes = 12
	t.chunk++
	for t.stsc.from((t.entry+1)*entryBytes) != nil && len(t.stsc.from((t.entry+1)*entryBytes)) >= entryBytes &&
		t.stsc.u32((t.entry+1)*entryBytes) <= t.chunk {
		t.entry++
	}
	size := 4
	if t.wide {
		size = 8
	}
	at := int64(t.chunk-1) * int64(size)
	count := min(t.stsc.u32(t.entry*entryBytes+4), t.left)
	if count == 0 || at+int64(size) > int64(len(t.offsets)) {
		return mp4Run{}, false
	}
	run := mp4Run{count: count, sizes: t.sizes}
	if t.wide {
		run.offset = int64(min(t.offsets.u64(int(at)), mp4MaxOffset)) //nolint:gosec // bounded
	} else {
		run.offset = int64(t.offsets.u32(int(at)))
	}
	run.sizes.table = t.sizes.table.from(int(t.sample) * 4)
	t.sample += count
	t.left -= count
	return run, true
}

// fragment returns the runs of a moof box, which begins at an offset of the file.
func (t *mp4Track) fragment(moof mp4Bytes, start int64) []mp4Run {
	var runs []mp4Run
	moof.each(func(name string, traf mp4Bytes) bool {
		tfhd := traf.find("tfhd")
		if name != "traf" || tfhd.u32(4) != t.id {
			return true
		}
		base, size, at := start, t.defaultSize, 8
		flags := tfhd.flags()
		if flags&0x01 != 0 {
			base, at = int64(min(tfhd.u64(at), mp4MaxOffset)), at+8 //nolint:gosec // bounded
		}
		for _, field := range []uint32{0x02, 0x08} { // description, duration
			if flags&field != 0 {
				at += 4
			}
		}
		if flags&0x10 != 0 {
			size = tfhd.u32(at)
		}
		next := base
		traf.each(func(name string, trun mp4Bytes) bool {
			if name != "trun" {
				return true
			}
			run := mp4Trun(trun, base, next, size)
			next = run.end()
			runs = append(runs, run)
			return true
		})
		return true
	})
	return runs
}

// mp4Trun reads a trun box. Its samples begin where it says, or at next.
func mp4Trun(trun mp4Bytes, base, next int64, size uint32) mp4Run {
	flags, at := trun.flags(), 8
	run := mp4Run{offset: next, count: trun.u32(4), sizes: mp4Sizes{same: size}}
	if flags&0x01 != 0 {
		run.offset, at = base+int64(int32(trun.u32(at))), at+4 //nolint:gosec // as the file format defines
	}
	if flags&0x04 != 0 {
		at += 4
	}
	if flags&0x200 == 0 {
		if size == 0 {
			run.count = 0
		}
		return run
	}
	stride, before := 0, 0
	for _, field := range []uint32{0x100, 0x200, 0x400, 0x800} {
		if flags&field != 0 {
			if field < 0x200 {
				before += 4
			}
			stride += 4
		}
	}
	table := trun.from(at + before)
	run.sizes = mp4Sizes{table: table, stride: stride}
	run.count = min(run.count, uint32((len(trun.from(at)))/stride)) //nolint:gosec // of a box of some MiB
	return run
}
