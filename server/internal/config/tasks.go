package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/internal/suggest"
)

// fileTask is a route that the configuration file sets.
type fileTask struct {
	Task
	// key is the task's name in the file, which may be an alias.
	key string
}

// fileTasks returns the routes of a file by the canonical names of their tasks. A file
// must not have different routes for two names of one task.
func fileTasks(file string, tasks map[string]Task) (map[string]fileTask, error) {
	routes := map[string]fileTask{}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(tasks)) {
		name := engines.CanonicalTask(key)
		if other, ok := routes[name]; ok && !sameRoute(other.Task, tasks[key]) {
			errs = append(errs, fmt.Errorf("%s: tasks.%s and tasks.%s are two names of the task %s with different routes; keep one of them",
				file, other.key, key, name))
			continue
		}
		routes[name] = fileTask{Task: tasks[key], key: key}
	}
	return routes, errors.Join(errs...)
}

func sameRoute(a, b Task) bool {
	return a.Primary == b.Primary && a.Method == b.Method && slices.Equal(a.Fallbacks, b.Fallbacks)
}

// completeTasks drops models that do not exist from the built-in routes, and adds
// the tasks that models list themselves. It leaves the routes of the file alone:
// check reports what is wrong with them.
func (c *Config) completeTasks(fromFile map[string]fileTask) {
	if c.Tasks == nil {
		c.Tasks = map[string]Task{}
	}
	for name, task := range c.Tasks {
		if _, ok := fromFile[name]; !ok {
			c.Tasks[name] = c.withoutUnknown(task)
		}
	}
	for _, model := range c.ModelOrder {
		for _, key := range c.Models[model].Tasks {
			name := engines.CanonicalTask(key)
			task := c.Tasks[name]
			switch {
			case task.Primary == "":
				task.Primary = model
			case !slices.Contains(task.Candidates(), model):
				task.Fallbacks = append(slices.Clone(task.Fallbacks), model)
			}
			c.Tasks[name] = task
		}
	}
	for name, task := range c.Tasks {
		if len(task.Candidates()) == 0 {
			delete(c.Tasks, name)
		}
	}
}

// warnOfTasks warns if requests for a task fail for lack of a model.
func (c *Config) warnOfTasks() {
	if len(c.Tasks) == 0 {
		c.Warnings = append(c.Warnings, "0 tasks: no task has a model, so requests fail unless they name one; "+
			"list the tasks of a model, e.g. models.NAME.tasks: [chat], or set tasks.chat.primary")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tasks)) {
		candidates := c.Tasks[name].Candidates()
		absent := func(model string) bool { return c.Models[model].Absent != "" }
		if !slices.ContainsFunc(candidates, func(model string) bool { return !absent(model) }) {
			c.Warnings = append(c.Warnings, fmt.Sprintf("requests for the task %s fail: model %s is not available: %s",
				name, candidates[0], c.Models[candidates[0]].Absent))
		}
	}
}

// withoutUnknown returns a route without the models that are not configured.
func (c *Config) withoutUnknown(t Task) Task {
	kept := slices.DeleteFunc(slices.Clone(t.Candidates()), func(model string) bool {
		_, ok := c.Models[model]
		return !ok
	})
	if len(kept) == 0 {
		return Task{Method: t.Method}
	}
	return Task{Primary: kept[0], Fallbacks: kept[1:], Method: t.Method}
}

// checkTasks checks the routes. Its errors name a task as the file does.
func (c *Config) checkTasks(bad complain, fromFile map[string]fileTask) {
	for _, model := range c.ModelOrder {
		for _, name := range c.Models[model].Tasks {
			if !builtIn(name) && c.Tasks[engines.CanonicalTask(name)].Method == "" {
				bad("models.%s.tasks: no such task: %q%s%s", model, name, suggest.DidYouMean(name, taskNames()), ownTask(name))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fromFile)) {
		route := fromFile[name]
		if !builtIn(name) && route.Method == "" {
			bad("tasks.%s: no such task%s%s", route.key, suggest.DidYouMean(route.key, taskNames()), ownTask(route.key))
		}
		if len(route.Candidates()) == 0 {
			bad("tasks.%s has no model: set primary to the name of one", route.key)
		}
		for _, model := range route.Candidates() {
			if _, ok := c.Models[model]; !ok {
				bad("tasks.%s: no model %q is configured%s", route.key, model, suggest.DidYouMean(model, c.ModelOrder))
			}
		}
	}
}

// checkAliases checks what the aliases stand for.
func (c *Config) checkAliases(bad complain) {
	for _, alias := range slices.Sorted(maps.Keys(c.Aliases)) {
		target := c.Aliases[alias]
		_, model := c.Models[target]
		switch {
		case !modelName.MatchString(alias):
			bad("aliases: %q is not a name: use letters, digits, dots, dashes and underscores", alias)
		case !model && !builtIn(target):
			bad("aliases.%s: no model and no task is called %q%s", alias, target, suggest.DidYouMean(target, append(taskNames(), c.ModelOrder...)))
		}
		if _, ok := c.Models[alias]; ok {
			bad("aliases.%s: a model has this name: choose another one", alias)
		}
	}
}

// ownTask is the end of the error about an unknown task.
func ownTask(name string) string {
	return fmt.Sprintf(" (for a task of your own, set tasks.%s.method)", name)
}

// builtIn reports whether the server has a handler for a task, which is named by
// its canonical name or an alias.
func builtIn(name string) bool {
	task, ok := engines.LookupTask(name)
	return ok && !task.ByMethod
}

// taskNames returns the names of the built-in tasks, aliases included.
func taskNames() []string {
	var names []string
	for _, task := range engines.Tasks() {
		if !task.ByMethod {
			names = append(append(names, task.Name), task.Aliases...)
		}
	}
	return names
}
