package whisperimport

import "math"

// Of the spectrum that Whisper computes.
const (
	sampleRate = 16000
	fftSize    = 400
	fftBins    = fftSize/2 + 1
)

// The mel scale of Slaney is linear below a frequency and logarithmic above.
const (
	linearStep = 200.0 / 3
	logStart   = 1000.0
)

var logStep = math.Log(6.4) / 27

func toMel(hertz float64) float64 {
	if hertz < logStart {
		return hertz / linearStep
	}
	return logStart/linearStep + math.Log(hertz/logStart)/logStep
}

func toHertz(mel float64) float64 {
	if mel < logStart/linearStep {
		return linearStep * mel
	}
	return logStart * math.Exp(float64(logStep*(mel-logStart/linearStep)))
}

// melFilters returns the weights of the frequencies in each band, as the function
// filters.mel of the Python package librosa: triangles of equal area. The float64
// conversions of products keep the compiler from fusing them with sums, so that the
// result is the same on every processor.
func melFilters(bands int) [][]float32 {
	edges := make([]float64, bands+2)
	low, high := toMel(0), toMel(sampleRate/2)
	step := (high - low) / float64(len(edges)-1)
	for i := range edges {
		edges[i] = toHertz(low + float64(float64(i)*step))
	}
	edges[len(edges)-1] = toHertz(high)
	filters := make([][]float32, bands)
	for i := range filters {
		left, middle, right := edges[i], edges[i+1], edges[i+2]
		filters[i] = make([]float32, fftBins)
		for bin := range filters[i] {
			frequency := float64(bin) * sampleRate / fftSize
			rising, falling := (frequency-left)/(middle-left), (right-frequency)/(right-middle)
			triangle := float32(max(0, min(rising, falling)))
			filters[i][bin] = float32(float64(triangle) * (2 / (right - left)))
		}
	}
	return filters
}
