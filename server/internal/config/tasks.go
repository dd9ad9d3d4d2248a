package config

import (
	"slices"
)

// The task types of the original gateway, by the name that their RPC uses.
const (
	TaskChat          = "chat"
	TaskGrammar       = "grammar"
	TaskRespond       = "response"
	TaskExplain       = "explain_vi"
	TaskTranscribe    = "stt"
	TaskSynthesize    = "tts"
	TaskPronunciation = "pronunciation"
)

// Aliases returns the original's second names of task types. An alias is routed
// as its task is, unless the configuration routes it by itself.
func Aliases() map[string]string {
	return map[string]string{
		"transcribe": TaskTranscribe,
		"synthesize": TaskSynthesize,
		"vietnamese": TaskExplain,
	}
}

// BuiltinTasks returns the task types that have an RPC of their own, aliases
// left out.
func BuiltinTasks() []string {
	return []string{TaskChat, TaskGrammar, TaskRespond, TaskExplain, TaskTranscribe, TaskSynthesize, TaskPronunciation}
}

// completeTasks drops the built-in routes' models that a user's list does not
// have, adds those that a model claims for itself, and copies routes to
// aliases. Routes of the user's own are left for check to complain about.
func (c *Config) completeTasks(explicit map[string]Task) {
	if c.Tasks == nil {
		c.Tasks = map[string]Task{}
	}
	for name, task := range c.Tasks {
		if _, own := explicit[name]; !own {
			c.Tasks[name] = c.withoutUnknown(task)
		}
	}
	for _, model := range c.ModelOrder {
		for _, name := range c.Models[model].Tasks {
			if canonical, ok := Aliases()[name]; ok {
				if _, own := c.Tasks[name]; !own {
					name = canonical
				}
			}
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
	for alias, name := range Aliases() {
		if _, own := c.Tasks[alias]; !own {
			c.Tasks[alias] = c.Tasks[name]
		}
	}
	for name, task := range c.Tasks {
		if len(task.Candidates()) == 0 {
			delete(c.Tasks, name)
		}
	}
}

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
