package inflight

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// However many connections a peer has, their calls keep to its rate, also if each of
// them has read many calls before the first one is counted.
func TestManyConnectionsKeepTheRateOfOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, connections, calls, length = 500, 500, 90, time.Minute
		r := NewRates(rate)
		closed := make(chan struct{})
		var mu sync.Mutex
		reads := 0
		var running sync.WaitGroup
		for range connections {
			throttle := r.Throttle("a")
			running.Go(func() {
				for {
					throttle.HoldRead(closed)
					select {
					case <-closed:
						return
					default:
					}
					mu.Lock()
					reads++
					mu.Unlock()
					time.Sleep(time.Millisecond) // the calls are counted when they end
					throttle.Count(calls)
				}
			})
		}
		time.Sleep(length)
		close(closed)
		running.Wait()
		// At once, what one read of each connection has; then the rate.
		most := connections*calls + rate*int(length/time.Second)
		t.Logf("%d calls were read; %d is the limit", reads*calls, most)
		if reads*calls > most+rate {
			t.Errorf("%d calls were read, want at most %d", reads*calls, most)
		}
	})
}
