package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are the names that queries may use.
type metrics map[string]bool

var (
	aMetric = regexp.MustCompile(`modelgateway_[a-z_]+`)
	queries = parser.NewParser(parser.Options{})
)

// readMetrics returns the metrics that a document names.
func readMetrics(file string) (metrics, error) {
	text, err := os.ReadFile(file)
	m := metrics{"up": true}
	for _, name := range aMetric.FindAllString(string(text), -1) {
		m[name] = true
	}
	if err == nil && len(m) == 1 {
		err = fmt.Errorf("%s names no metric", file)
	}
	return m, err
}

// checkQuery checks an expression of PromQL.
func (m metrics) checkQuery(query string, report reporter) {
	expr, err := queries.ParseExpr(query)
	if err != nil {
		report("%q: %v", query, err)
		return
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && !m.has(v.Name) {
			report("%q: the server has no metric %s", query, v.Name)
		}
		return nil
	})
}

// has reports whether a metric exists, also as a part of a histogram.
func (m metrics) has(name string) bool {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && m[base] {
			return true
		}
	}
	return false
}

// checkRules checks a file of rules.
func (m metrics) checkRules(file string, report reporter) {
	text, err := os.ReadFile(file)
	if err != nil {
		report("%v", err)
		return
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, queries, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for _, err := range errs {
		report("%v", err)
	}
	if groups == nil {
		return
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			m.checkQuery(r.Expr, report)
			if r.Alert != "" && (r.Annotations["summary"] == "" || r.Labels["severity"] == "") {
				report("%s has no summary or no severity", r.Alert)
			}
		}
	}
}

// checkDashboard checks the queries of Grafana's dashboard.
func (m metrics) checkDashboard(file string, report reporter) {
	var dashboard struct {
		Title  string
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil || dashboard.Title == "" || len(dashboard.Panels) == 0 {
		report("no dashboard with a title and panels: %v", err)
		return
	}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			report("the panel %q has no query", p.Title)
		}
		for _, t := range p.Targets {
			m.checkQuery(strings.ReplaceAll(t.Expr, "$__rate_interval", "5m"), report)
		}
	}
}
