package report

import (
	"bytes"
	"cmp"
	_ "embed" // chart.svg.tmpl
	"fmt"
	"strings"
	"text/template"
	"unicode/utf8"
)

// A chart has bars and lines only: a template is enough, and unlike the libraries
// for charts it can follow the reader's light or dark colours.
//
//go:embed chart.svg.tmpl
var chartText string

var chartTemplate = template.Must(template.New("chart").Parse(chartText))

// Sizes in pixels.
const (
	chartWidth = 760
	barLeft    = 130
	barWidth   = 400
	titleBase  = 30
	noteHeight = 18
	noteRunes  = 112 // fit into a line
	unitHeight = 34
	nameHeight = 22
	barHeight  = 18
	rowGap     = 10
)

// drawing is what the template shows.
type drawing struct {
	*Report
	Width, Height int
	Notes         []note
	Groups        []group
}

// note is a line below the title.
type note struct {
	Text string
	Y    int
}

// group has the results in one unit, which share a scale.
type group struct {
	Heading string
	Y       int
	Rows    []row
}

type row struct {
	What, Ratio string
	Y           int
	Bars        []bar
}

type bar struct {
	Side, Name, Figure string
	Y                  int
	// X to High are positions; Low and High those of the spread.
	Left, Length, Low, High float64
	// Spread is unset for a single round.
	Spread bool
}

// Chart draws the report: for each result a bar with the median of the server and
// one of the peer, and a line from the lowest to the highest round.
func (r *Report) Chart() ([]byte, error) {
	d := drawing{Report: r, Width: chartWidth}
	side := cmp.Or(r.Side, "ModelGateway")
	y := titleBase
	for _, text := range r.notes() {
		y += noteHeight
		d.Notes = append(d.Notes, note{text, y})
	}
	y += rowGap
	for _, unit := range units(r.Results) {
		g := group{Heading: unit.Name, Y: y + unitHeight - 12}
		if unit.Better != "" {
			g.Heading += " · " + string(unit.Better) + " is better"
		}
		y += unitHeight
		top := highest(r.Results, unit)
		for _, result := range r.Results {
			if result.Unit != unit {
				continue
			}
			one := row{What: result.What, Y: y + nameHeight - 8}
			y += nameHeight
			one.Bars = append(one.Bars, newBar("server", side, result.Server, y, top))
			y += barHeight
			if result.Other != nil {
				one.Ratio = "ratio " + result.Ratio.String()
				one.Bars = append(one.Bars, newBar("peer", result.Peer, *result.Other, y, top))
				y += barHeight
			}
			y += rowGap
			g.Rows = append(g.Rows, one)
		}
		d.Groups = append(d.Groups, g)
	}
	d.Height = y + rowGap
	var out bytes.Buffer
	err := chartTemplate.Execute(&out, d)
	return out.Bytes(), err
}

// units returns the units of results, in their order.
func units(results []Result) (all []Unit) {
	seen := map[Unit]bool{}
	for _, result := range results {
		if !seen[result.Unit] {
			seen[result.Unit] = true
			all = append(all, result.Unit)
		}
	}
	return all
}

// highest returns the largest figure in a unit.
func highest(results []Result, unit Unit) (top float64) {
	for _, result := range results {
		if result.Unit != unit {
			continue
		}
		top = max(top, result.Server.High)
		if result.Other != nil {
			top = max(top, result.Other.High)
		}
	}
	return top
}

func newBar(side, name string, f Figures, y int, top float64) bar {
	at := func(v float64) float64 {
		if top <= 0 {
			return 0
		}
		return barWidth * v / top
	}
	return bar{
		Side: side, Name: name, Figure: f.String(), Y: y, Left: barLeft, Length: at(f.Median),
		Low: barLeft + at(f.Low), High: barLeft + at(f.High), Spread: len(f.Rounds) > 1,
	}
}

// String returns the median and, if there are several rounds, the spread.
func (f Figures) String() string {
	if len(f.Rounds) < 2 {
		return short(f.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", short(f.Median), short(f.Low), short(f.High))
}

// short has three digits, and no exponent.
func short(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// notes returns the lines below the title: the machine, its load, the first setting,
// which names the model, and the versions.
func (r *Report) notes() []string {
	load := make([]string, len(r.Load1))
	for i, l := range r.Load1 {
		load[i] = fmt.Sprintf("%.1f", l)
	}
	parts := []string{r.Machine, "load " + strings.Join(load, " to "), r.Started.Format("2 January 2006")}
	parts = append(parts, r.Settings[:min(1, len(r.Settings))]...)
	parts = append(parts, r.Versions...)
	const separator = " · "
	var lines []string
	for _, part := range strings.Split(strings.Join(parts, separator), separator) {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last]+separator+part) <= noteRunes {
			lines[last] += separator + part
		} else {
			lines = append(lines, part)
		}
	}
	return lines
}
