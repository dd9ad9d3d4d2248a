package inflight

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

func TestReservationsShareThePool(t *testing.T) {
	pool := NewPool(4 * Step)
	first, second := pool.Reserve(Options{Free: 10}), pool.Reserve(Options{})
	for _, c := range []struct {
		r    *Reservation
		size int64
		ok   bool
		used int64
	}{
		{first, 10, true, 0},      // free
		{first, 11, true, Step},   // at least a step
		{first, Step, true, Step}, // is held
		{first, 3*Step + 1, true, 3*Step + 1},
		{second, 1, false, 3*Step + 1}, // a step is too much
	} {
		if ok := c.r.Grow(c.size); ok != c.ok || pool.Used() != c.used {
			t.Errorf("Grow(%d) is %v with %d bytes used, want %v with %d", c.size, ok, pool.Used(), c.ok, c.used)
		}
	}
	first.Release()
	first.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes are used after Release", pool.Used())
	}
	if !first.Grow(1<<40) || pool.Used() != 0 {
		t.Error("a released reservation grows")
	}
	if !second.Grow(4*Step) || second.Grow(4*Step+1) {
		t.Error("the second reservation does not get what the first released")
	}
}

func TestReservationHoldsAtMostMax(t *testing.T) {
	pool := NewPool(1000)
	r := pool.Reserve(Options{})
	r.SetMax(600)
	if !r.Grow(1) || !r.Grow(1<<40) || pool.Used() != 600 {
		t.Errorf("%d bytes are used, want 600", pool.Used())
	}
}

func TestPieces(t *testing.T) {
	data := make([]byte, 3*largestPiece+1)
	for i := range data {
		data[i] = byte(i % 251)
	}
	var whole, read Pieces
	for _, p := range []*Pieces{&whole, &read} {
		if err := p.Fill(iotest.HalfReader(bytes.NewReader(data))); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(whole.Bytes(), data) {
		t.Error("Bytes differ from what was filled in")
	}
	if got, err := io.ReadAll(&read); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := new(Pieces).Fill(iotest.ErrReader(io.ErrClosedPipe)); err != io.ErrClosedPipe {
		t.Errorf("the error of the source becomes %v", err)
	}
}
