// Program hang takes the place of decode-speech, and never answers.
package main

import "time"

func main() {
	for {
		time.Sleep(time.Hour)
	}
}
