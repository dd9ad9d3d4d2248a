package main

import (
	"bytes"
	"io"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

type reporter func(format string, args ...any)

// checkProfile builds the objects of a folder and checks each.
func (s *schemas) checkProfile(dir string, m metrics, report reporter) {
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		report("kustomize: %v", err)
		return
	}
	for _, o := range objects.Resources() {
		what := o.GetKind() + " " + o.GetName()
		if err := s.provide(o.GetApiVersion(), o.GetKind()); err != nil {
			report("%s: %v", what, err)
			continue
		}
		text, err := o.AsYAML()
		if err != nil {
			report("%s: %v", what, err)
			continue
		}
		for _, r := range s.validator.Validate(what, io.NopCloser(bytes.NewReader(text))) {
			if r.Status != validator.Valid {
				report("%s: %v", what, r.Err)
			}
		}
		if o.GetKind() == "ScaledObject" {
			checkTriggers(o, m, func(format string, args ...any) { report(what+": "+format, args...) })
		}
		checkSelectors(o, func(format string, args ...any) { report(what+": "+format, args...) })
	}
	checkReferences(objects.Resources(), report)
}

// checkTriggers checks the queries by which KEDA scales.
func checkTriggers(o *resource.Resource, m metrics, report reporter) {
	triggers, err := o.GetSlice("spec.triggers")
	if err != nil {
		report("%v", err)
	}
	for _, t := range triggers {
		trigger, _ := t.(map[string]any)
		metadata, _ := trigger["metadata"].(map[string]any)
		query, _ := metadata["query"].(string)
		m.checkQuery(query, report)
	}
}

// selectors are where objects select pods or services. An empty one selects all of the
// namespace.
var selectors = map[string]string{
	"Deployment": "spec.selector.matchLabels", "Service": "spec.selector", "PodDisruptionBudget": "spec.selector.matchLabels",
	"NetworkPolicy": "spec.podSelector.matchLabels", "ServiceMonitor": "spec.selector.matchLabels",
}

func checkSelectors(o *resource.Resource, report reporter) {
	path, selects := selectors[o.GetKind()]
	if !selects {
		return
	}
	if _, err := o.GetFieldValue(path + ".app\\.kubernetes\\.io/component"); err != nil {
		report("%s does not select the profile's pods alone: %v", path, err)
	}
}

// checkReferences checks that each policy, route and scaler names an object of the
// profile.
func checkReferences(objects []*resource.Resource, report reporter) {
	names := map[string]bool{}
	for _, o := range objects {
		names[o.GetKind()+" "+o.GetName()] = true
	}
	check := func(o *resource.Resource, kind string, targets []any) {
		for _, t := range targets {
			ref, _ := t.(map[string]any)
			if k, ok := ref["kind"].(string); ok {
				kind = k
			}
			if name, _ := ref["name"].(string); !names[kind+" "+name] {
				report("%s %s: no %s %s", o.GetKind(), o.GetName(), kind, name)
			}
		}
	}
	for _, o := range objects {
		switch o.GetKind() {
		case "HTTPRoute", "GRPCRoute":
			rules, _ := o.GetSlice("spec.rules")
			for _, r := range rules {
				rule, _ := r.(map[string]any)
				targets, _ := rule["backendRefs"].([]any)
				check(o, "Service", targets)
			}
		case "ScaledObject":
			if name, err := o.GetString("spec.scaleTargetRef.name"); err != nil || !names["Deployment "+name] {
				report("ScaledObject %s: no Deployment %s", o.GetName(), name)
			}
		case "BackendTrafficPolicy", "EnvoyExtensionPolicy":
			targets, _ := o.GetSlice("spec.targetRefs")
			check(o, "", targets)
		}
	}
}
