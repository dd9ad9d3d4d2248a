package engines

import (
	"strings"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// TaskName returns a task's name for messages, e.g. "explain_vietnamese".
func TaskName(t enginev1.Task) string {
	return strings.ToLower(strings.TrimPrefix(t.String(), "TASK_"))
}
