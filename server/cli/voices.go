package cli

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type voicesCommand struct{}

// Help returns the text that --help prints after the summary.
func (voicesCommand) Help() string {
	return `The first voice speaks if a request names none. What is in the column VOICE can be
given to "modelgateway synthesize --voice", and as the voice of OpenAI's clients.
No model is loaded for the list.`
}

// Run lists the voices.
func (voicesCommand) Run(ctx context.Context, g *globals, con *console) error {
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		res, err := c.ListVoices(ctx, &gatewayv1.ListVoicesRequest{})
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		}
		t := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "VOICE\tNAME\tLANGUAGE\tRATE\tWORD TIMES")
		for _, v := range res.GetVoices() {
			rate, times := "-", "no"
			if v.GetSampleRateHertz() > 0 {
				rate = fmt.Sprintf("%d Hz", v.GetSampleRateHertz())
			}
			if v.GetWordTimes() {
				times = "yes"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.GetId(), v.GetName(), cmp.Or(v.GetLanguage(), "-"), rate, times)
		}
		return t.Flush()
	})
}
