// Command manifests checks what deploy/ has for Kubernetes, Prometheus and Grafana, without
// a cluster: kustomize builds every profile, kubeconform compares the objects with the
// schemas of the programs that read them, Prometheus' parser reads the rules and all
// queries, and these ask only for metrics that the server's documentation names.
//
// It is a module of its own, so that users of the main module do not depend on these
// programs.
//
//	manifests -metrics docs/operations.md DIR…
//
// Each line that it prints is a problem: folder, file, and what is wrong. The exit code is
// 1 if there is one.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	documented := flag.String("metrics", "docs/operations.md", "file that names the metrics")
	flag.Parse()
	problems, err := run(*documented, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(2)
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func run(documented string, dirs []string) ([]string, error) {
	s, err := newSchemas()
	if err != nil {
		return nil, err
	}
	defer s.close()
	metrics, err := readMetrics(documented)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, dir := range dirs {
		report := func(file, format string, args ...any) {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", filepath.Base(dir), file, fmt.Sprintf(format, args...)))
		}
		for _, profile := range []string{"gateway", "chat", "speech"} {
			s.checkProfile(filepath.Join(dir, "kubernetes", profile), metrics, func(format string, args ...any) {
				report("kubernetes/"+profile, format, args...)
			})
		}
		metrics.checkRules(filepath.Join(dir, "prometheus", "rules.yaml"), func(format string, args ...any) {
			report("prometheus/rules.yaml", format, args...)
		})
		metrics.checkDashboard(filepath.Join(dir, "grafana", "dashboard.json"), func(format string, args ...any) {
			report("grafana/dashboard.json", format, args...)
		})
	}
	return problems, nil
}
