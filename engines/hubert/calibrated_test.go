package hubert

import (
	"math"
	"testing"
)

// TestCalibration compares the scores of a model with and without a calibration.
func TestCalibration(t *testing.T) {
	const text, said = "the cat sat", "the cut sat"
	plain := ask(t, load(t, folder(t, "tones.onnx", published()), nil), text, said)
	rated := folder(t, "rated.onnx", published())
	if without := ask(t, load(t, rated, nil), text, said); summary(without) != summary(plain) || without.GetOverallScore() != plain.GetOverallScore() {
		t.Errorf("without a calibration, ratings change %s with %v to %s with %v",
			summary(plain), plain.GetOverallScore(), summary(without), without.GetOverallScore())
	}
	writeFile(t, rated+"/calibration.json", []byte(`{
		"unit": {"bias": -2, "weights": {"rating": 1}},
		"word": {"bias": -4, "weights": {"mean": 4, "worst": 4}},
		"fluency": {"bias": 0.5, "weights": {}},
		"overall": {"bias": 0, "weights": {"completeness": 1}}
	}`))
	resp := ask(t, load(t, rated, nil), text, said)
	near := func(name string, got float32, want float64) {
		if math.Abs(float64(got)-want) > 0.5 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	logistic := func(x float64) float64 { return 100 / (1 + math.Exp(-x)) }
	near("the fluency", resp.GetFluencyScore(), logistic(0.5))
	near("the overall score", resp.GetOverallScore(), logistic(1))
	if resp.GetCompletenessScore() != plain.GetCompletenessScore() {
		t.Errorf("the completeness is %v, and %v without a calibration", resp.GetCompletenessScore(), plain.GetCompletenessScore())
	}
	words := resp.GetWords()
	if got := summary(resp); got != "the !cat sat" {
		t.Fatalf("it recognises %q", got)
	}
	// In the place of A was U: A's rating there is 0 in each frame, or the blank's.
	right, wrong := words[1].GetUnits()[0].GetScore(), words[1].GetUnits()[1].GetScore()
	if right < 60 || wrong > 20 {
		t.Errorf("the right unit has %v, the wrong one %v", right, wrong)
	}
	mean, worst := 0.0, 1.0
	for _, u := range words[1].GetUnits() {
		mean += float64(u.GetScore()) / 100 / float64(len(words[1].GetUnits()))
		worst = min(worst, float64(u.GetScore())/100)
	}
	near("the word", words[1].GetScore(), logistic(-4+4*mean+4*worst))
}

// TestCalibrationOfSilence checks that a calibration gives no points for nothing.
func TestCalibrationOfSilence(t *testing.T) {
	dir := folder(t, "rated.onnx", published())
	writeFile(t, dir+"/calibration.json", []byte(`{"accuracy": {"bias": 5}, "fluency": {"bias": 5}, "overall": {"bias": 5}}`))
	resp := ask(t, load(t, dir, nil), "the cat", "____")
	if resp.GetOverallScore() != 0 || resp.GetAccuracyScore() != 0 || resp.GetFluencyScore() != 0 {
		t.Errorf("silence has %v: %v, %v", resp.GetOverallScore(), resp.GetAccuracyScore(), resp.GetFluencyScore())
	}
	if got := summary(resp); got != "-the -cat" {
		t.Errorf("it recognises %q", got)
	}
}
