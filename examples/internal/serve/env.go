package serve

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Env returns an environment variable, or the default when it is unset or empty.
func Env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// EnvDuration is Env for a duration such as 250ms.
func EnvDuration(name string, otherwise time.Duration) (time.Duration, error) {
	value := os.Getenv(name)
	if value == "" {
		return otherwise, nil
	}
	duration, err := time.ParseDuration(value)
	if err != nil || duration < 0 {
		return 0, fmt.Errorf("%s=%s: expected a duration such as 250ms", name, value)
	}
	return duration, nil
}

// EnvShare is a share such as 20% as a number from 0 to 1; 0 when the variable is unset or empty.
func EnvShare(name string) (float64, error) {
	value := os.Getenv(name)
	if value == "" {
		return 0, nil
	}
	number, isShare := strings.CutSuffix(value, "%")
	share, err := strconv.ParseFloat(number, 64)
	if !isShare || err != nil || !(share >= 0 && share <= 100) {
		return 0, fmt.Errorf("%s=%s: expected a share such as 20%%", name, value)
	}
	return share / 100, nil
}
