package hubert

import (
	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
	"github.com/lexilingo/modelgateway/engines/hubert/settings"
)

// measures maps the values of the parameter gop, which package settings has, to
// the measures of package scoring.
func measures() map[string]scoring.Measure {
	return map[string]scoring.Measure{
		settings.MeasureAlignmentFree: scoring.AlignmentFree,
		settings.MeasureSelfAligned:   scoring.SelfAligned,
		settings.MeasureMaxLogit:      scoring.MaxLogit,
	}
}
