package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const progressBarWidth = 30

type loadCommand struct {
	Name     string `arg:"" help:"Model to load."`
	Pin      bool   `help:"Keep the model loaded until \"unload\"."`
	Priority string `help:"Priority of the load: ${enum}. Default: the model's own. Idle models of this priority or lower, or past their idle timeout, can be unloaded for it." enum:"own,low,normal,high,critical" default:"own"`
}

// Run loads a model and shows the progress.
func (l loadCommand) Run(ctx context.Context, g *globals, con *console) error {
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		start := time.Now()
		stream, err := c.LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: l.Name, Pin: l.Pin, Priority: priority(l.Priority)})
		if err != nil {
			return err
		}
		progress := progressLine{con: con, name: l.Name}
		var model *gatewayv1.Model
		for {
			res, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil && g.JSON {
				err = writeJSONLine(con.out, res)
			}
			if err != nil {
				progress.clear()
				return err
			}
			if !g.JSON {
				progress.show(res)
			}
			if res.GetModel() != nil {
				model = res.GetModel()
			}
		}
		progress.clear()
		if g.JSON {
			return nil
		}
		_, err = fmt.Fprintf(con.out, "%s is %s: %s, loaded in %s\n", l.Name, state(model), size(model.GetMemory().GetChargedBytes()), roundDuration(time.Since(start)))
		return err
	})
}

// progressLine shows the progress of a load: on one line of a terminal, otherwise
// as a line for each step.
type progressLine struct {
	con   *console
	name  string
	drawn bool
	step  string // printed last
}

func (p *progressLine) show(res *gatewayv1.LoadModelResponse) {
	activity := stateName(res.GetState())
	if res.GetState() == gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		activity = "waiting"
	}
	text := p.name + " " + activity
	if res.GetState() == gatewayv1.ModelState_MODEL_STATE_READY {
		return
	}
	fraction := min(max(float64(res.GetProgress()), 0), 1)
	if res.GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING {
		if left := res.GetExpectedRemaining(); left != nil {
			text += ", about " + formatDuration(left) + " left"
		}
	}
	if !p.con.errTTY {
		// In a log file, one line for every tenth is enough.
		step := fmt.Sprintf("%s %s %.0f%%", p.name, activity, float64(int(fraction*10))*10)
		if step != p.step {
			p.step = step
			fmt.Fprintln(p.con.err, step)
		}
		return
	}
	full := int(fraction * progressBarWidth)
	fmt.Fprintf(p.con.err, "\r\x1b[K[%s%s] %3.0f%% %s", strings.Repeat("█", full), strings.Repeat("·", progressBarWidth-full), 100*fraction, text)
	p.drawn = true
}

func (p *progressLine) clear() {
	if p.drawn {
		fmt.Fprint(p.con.err, "\r\x1b[K")
	}
}

type unloadCommand struct {
	Name string `arg:"" help:"Model to unload."`
}

// Run unloads a model after its running requests have finished.
func (u unloadCommand) Run(ctx context.Context, g *globals, con *console) error {
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		res, err := c.UnloadModel(ctx, &gatewayv1.UnloadModelRequest{Name: u.Name})
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		}
		_, err = fmt.Fprintf(con.out, "%s is %s, %s freed\n", u.Name, state(res.GetModel()), sizeOrZero(res.GetFreedBytes()))
		return err
	})
}

type planCommand struct {
	Name     string `arg:"" help:"Model that would be loaded."`
	Priority string `help:"Priority of the planned load: ${enum}. Default: the model's own." enum:"own,low,normal,high,critical" default:"own"`
}

// Run prints what a load would do.
func (p planCommand) Run(ctx context.Context, g *globals, con *console) error {
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		res, err := c.PlanLoad(ctx, &gatewayv1.PlanLoadRequest{Name: p.Name, Priority: priority(p.Priority)})
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		}
		return writePlan(con.out, p.Name, res)
	})
}

func writePlan(w io.Writer, name string, res *gatewayv1.PlanLoadResponse) error {
	fmt.Fprintf(w, "%s: %s\n", name, enumName(res.GetOutcome(), "LOAD_OUTCOME_"))
	if res.GetExplanation() != "" {
		fmt.Fprintln(w, res.GetExplanation())
	}
	fmt.Fprintf(w, "needs %s (%s); %s of %s are free\n", size(res.GetRequiredBytes()), res.GetRequiredSource(),
		sizeOrZero(res.GetFreeBytes()), size(res.GetBudgetBytes()))
	if d := res.GetExpectedLoadDuration(); d != nil {
		fmt.Fprintf(w, "loads in about %s\n", formatDuration(d))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range res.GetEvictions() {
		fmt.Fprintf(t, "unload\t%s\t%s\t%s\n", e.GetName(), size(e.GetFreedBytes()), e.GetWhy())
	}
	for _, k := range res.GetKept() {
		fmt.Fprintf(t, "keep\t%s\t%s\t%s\n", k.GetName(), size(k.GetChargedBytes()), k.GetWhy())
	}
	return t.Flush()
}

// priority returns the value of a flag that the parser has validated. For "own" it
// is PRIORITY_UNSPECIFIED: the priority of the model.
func priority(name string) gatewayv1.Priority {
	return gatewayv1.Priority(gatewayv1.Priority_value["PRIORITY_"+strings.ToUpper(name)])
}
