package server

import (
	"context"
	"errors"
	"sync"

	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// preload loads the models of the configuration that ask for it. It returns when
// each is loaded or has failed, or when that has taken too long or ctx has ended.
func (s *Server) preload(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, s.cfg.PreloadTimeout)
	defer cancel()
	var loads sync.WaitGroup
	for name, m := range s.cfg.Models {
		if !m.Preload || m.Absent != "" {
			continue
		}
		loads.Go(func() {
			err := s.manager.Load(limited, lifecycle.LoadRequest{Model: name}, nil)
			if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
				s.log.Warn("a model was not loaded at the start", "model", name, "error", err)
			}
		})
	}
	loads.Wait()
}
