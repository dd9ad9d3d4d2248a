package traffic

import (
	"slices"
	"time"
)

// Result is what became of a request.
type Result struct {
	// Wait is how long it waited at the server, and Took how long its client did.
	Wait time.Duration `json:"wait"`
	Took time.Duration `json:"took"`
	// Server is who answered.
	Server string `json:"server,omitempty"`
	// Kept: the server still had the prompt of the conversation. Only simulated servers say
	// so.
	Kept bool `json:"kept,omitempty"`
	// Failed is why there was no answer; empty: there was.
	Failed string `json:"failed,omitempty"`
}

// Run is a load and what became of it: Results has one for each of Requests.
type Run struct {
	// Name says what was loaded.
	Name     string    `json:"name"`
	Requests []Request `json:"requests"`
	Results  []Result  `json:"results"`
	// Overhead is what a request takes beside its wait and its service.
	Overhead time.Duration `json:"overhead"`
}

// Summary says how good a run was.
type Summary struct {
	Requests, Failed int
	// Throughput is how many answers there were each second.
	Throughput     float64
	Wait95         time.Duration
	Took50, Took95 time.Duration
	Served         map[string]int // by server
	// Returns is how many requests continued a conversation. Returned of them reached the
	// server of the one before, and Kept a server that still had their prompt.
	Returns, Returned, Kept int
}

// Share returns which part of the requests that continued a conversation a number is; of
// none, all.
func (s Summary) Share(count int) float64 {
	if s.Returns == 0 {
		return 1
	}
	return float64(count) / float64(s.Returns)
}

// Summary counts the requests that were made after warmup.
func (r *Run) Summary(warmup time.Duration) Summary {
	s := Summary{Served: map[string]int{}}
	var waits, times []time.Duration
	at := map[string]string{}
	last := warmup
	for i, req := range r.Requests {
		got := r.Results[i]
		before := at[req.Conversation]
		if req.Conversation != "" && got.Failed == "" {
			at[req.Conversation] = got.Server
		}
		if req.At < warmup {
			continue
		}
		s.Requests++
		if got.Failed != "" {
			s.Failed++
			continue
		}
		last = max(last, req.At+got.Took)
		waits, times = append(waits, got.Wait), append(times, got.Took)
		s.Served[got.Server]++
		if req.Conversation != "" && before != "" {
			s.Returns++
			if before == got.Server {
				s.Returned++
			}
			if got.Kept {
				s.Kept++
			}
		}
	}
	slices.Sort(waits)
	slices.Sort(times)
	s.Wait95, s.Took50, s.Took95 = Quantile(waits, 0.95), Quantile(times, 0.5), Quantile(times, 0.95)
	if last > warmup {
		s.Throughput = float64(len(times)) / (last - warmup).Seconds()
	}
	return s
}

// Quantile returns the value below which a part of sorted values is; 0 of none.
func Quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}
